################################################################################
# ElastiCache for Valkey
################################################################################

locals {
  create_cache = var.create && var.cache.create
}

resource "aws_elasticache_subnet_group" "this" {
  count = local.create_cache ? 1 : 0

  region     = local.region
  name       = local.name
  subnet_ids = var.network.private_subnet_ids
  tags       = local.tags
}

resource "aws_elasticache_user" "this" {
  count = local.create_cache ? 1 : 0

  region  = local.region
  user_id = local.name
  # IAM log-in requires the name to be the id.
  user_name     = local.name
  engine        = "valkey"
  access_string = "on ~* +@all -@dangerous"
  authentication_mode {
    type = "iam"
  }
  tags = local.tags
}

resource "aws_elasticache_user_group" "this" {
  count = local.create_cache ? 1 : 0

  region        = local.region
  user_group_id = local.name
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.this[0].user_id]
  tags          = local.tags
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV2_AWS_50:failover comes with replicas, and prod needs one by validation
  count = local.create_cache ? 1 : 0

  region                     = local.region
  replication_group_id       = local.name
  description                = "cache of ${local.name}"
  engine                     = "valkey"
  engine_version             = var.cache.engine_version
  node_type                  = var.cache.node_type
  num_cache_clusters         = 1 + var.cache.replicas
  automatic_failover_enabled = var.cache.replicas > 0
  multi_az_enabled           = var.cache.replicas > 0
  subnet_group_name          = aws_elasticache_subnet_group.this[0].name
  security_group_ids         = [aws_security_group.cache[0].id]
  user_group_ids             = [aws_elasticache_user_group.this[0].user_group_id]
  at_rest_encryption_enabled = true
  kms_key_id                 = local.kms_arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  snapshot_retention_limit   = var.cache.snapshot_days
  auto_minor_version_upgrade = true
  tags                       = local.tags
}
