################################################################################
# PostgreSQL: what RDS and Aurora share
################################################################################

locals {
  create_database = var.create && var.database.create
  create_rds      = local.create_database && var.database.engine == "postgres"
  create_aurora   = local.create_database && var.database.engine == "aurora-postgresql"
  database_name   = coalesce(var.database.name, replace(var.service_name, "-", "_"))
  database_major  = split(".", var.database.engine_version)[0]
  database_resource_id = try(coalesce(
    one(aws_db_instance.this[*].resource_id),
    one(aws_rds_cluster.this[*].cluster_resource_id),
  ), "none")
  # RDS would make these groups itself, and keep them for ever.
  database_logs = local.create_rds ? {
    for log in ["postgresql", "upgrade"] : "${local.name}/${log}" => "/aws/rds/instance/${local.name}/${log}"
  } : local.create_aurora ? { "${local.name}/postgresql" = "/aws/rds/cluster/${local.name}/postgresql" } : {}
  database_parameters = {
    "rds.force_ssl"              = "1"
    "log_min_duration_statement" = tostring(var.database.slow_statement_millis)
  }
}

resource "aws_db_subnet_group" "this" {
  count = local.create_database ? 1 : 0

  region     = local.region
  name       = local.name
  subnet_ids = var.network.private_subnet_ids
  tags       = local.tags
}

resource "aws_cloudwatch_log_group" "database" {
  #checkov:skip=CKV_AWS_338:log_days is the caller's, and paid by the gigabyte
  #checkov:skip=CKV_AWS_158:kms is the caller's
  for_each = local.database_logs

  region            = local.region
  name              = each.value
  retention_in_days = var.database.log_days
  kms_key_id        = local.kms_arn
  tags              = local.tags
}

resource "aws_iam_role" "database_monitoring" {
  count = local.create_database && var.database.monitoring_seconds > 0 ? 1 : 0

  name                 = "${local.name}-rds-monitoring"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.${local.dns_suffix}" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
  tags = local.tags
}

resource "aws_iam_role_policy_attachment" "database_monitoring" {
  count = length(aws_iam_role.database_monitoring)

  role       = aws_iam_role.database_monitoring[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

################################################################################
# RDS
################################################################################

resource "aws_db_parameter_group" "this" {
  count = local.create_rds ? 1 : 0

  region      = local.region
  name_prefix = "${local.name}-pg${local.database_major}-"
  family      = "postgres${local.database_major}"
  dynamic "parameter" {
    for_each = local.database_parameters
    content {
      name  = parameter.key
      value = parameter.value
    }
  }
  tags = local.tags
  # A new family (a major upgrade) needs the new group before the old one may go.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_118:monitoring_seconds is the caller's; docmill-aws sets it in prod
  #checkov:skip=CKV_AWS_133:backup_days is the caller's, and 7 or more in prod by validation
  #checkov:skip=CKV_AWS_157:multi_az is the caller's, and on in prod by validation
  #checkov:skip=CKV_AWS_161:iam_auth is the caller's, and on by default
  #checkov:skip=CKV_AWS_353:performance_insights is the caller's, and on by default
  count = local.create_rds ? 1 : 0

  region                              = local.region
  identifier                          = local.name
  engine                              = "postgres"
  engine_version                      = var.database.engine_version
  instance_class                      = var.database.instance_class
  db_name                             = local.database_name
  username                            = var.database.master_username
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = local.kms_arn
  allocated_storage                   = var.database.storage_gb
  max_allocated_storage               = var.database.max_storage_gb
  storage_type                        = "gp3"
  storage_encrypted                   = true
  kms_key_id                          = local.kms_arn
  multi_az                            = var.database.multi_az
  db_subnet_group_name                = aws_db_subnet_group.this[0].name
  vpc_security_group_ids              = [aws_security_group.database[0].id]
  parameter_group_name                = aws_db_parameter_group.this[0].name
  ca_cert_identifier                  = "rds-ca-rsa2048-g1"
  publicly_accessible                 = false
  iam_database_authentication_enabled = var.database.iam_auth
  backup_retention_period             = var.database.backup_days
  copy_tags_to_snapshot               = true
  deletion_protection                 = local.protected
  skip_final_snapshot                 = !local.protected
  final_snapshot_identifier           = local.protected ? "${local.name}-final" : null
  auto_minor_version_upgrade          = true
  apply_immediately                   = var.database.apply_immediately
  performance_insights_enabled        = var.database.performance_insights
  performance_insights_kms_key_id     = var.database.performance_insights ? local.kms_arn : null
  monitoring_interval                 = var.database.monitoring_seconds
  monitoring_role_arn                 = one(aws_iam_role.database_monitoring[*].arn)
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  tags                                = local.tags
  depends_on                          = [aws_cloudwatch_log_group.database]
}

resource "aws_db_instance_automated_backups_replication" "this" {
  count = local.create_rds && var.database.replicate_backups_to != null ? 1 : 0

  region                 = var.database.replicate_backups_to
  source_db_instance_arn = aws_db_instance.this[0].arn
  retention_period       = var.database.backup_days
  kms_key_id             = var.database.backups_kms_key_arn
}
