################################################################################
# Aurora Serverless v2
################################################################################

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.create_aurora ? 1 : 0

  region      = local.region
  name_prefix = "${local.name}-aurora${local.database_major}-"
  family      = "aurora-postgresql${local.database_major}"
  dynamic "parameter" {
    for_each = local.database_parameters
    content {
      name  = parameter.key
      value = parameter.value
    }
  }
  tags = local.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV2_AWS_27:slow statements are logged (slow_statement_millis); logging every statement would put tenants' data into logs
  #checkov:skip=CKV2_AWS_8:AWS Backup is a toggle (backup) whose selection by ARN checkov cannot follow
  #checkov:skip=CKV_AWS_133:backup_days is the caller's, and 7 or more in prod by validation
  #checkov:skip=CKV_AWS_162:iam_auth is the caller's, and on by default
  count = local.create_aurora ? 1 : 0

  region                              = local.region
  cluster_identifier                  = local.name
  engine                              = "aurora-postgresql"
  engine_mode                         = "provisioned"
  engine_version                      = var.database.engine_version
  database_name                       = local.database_name
  master_username                     = var.database.master_username
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = local.kms_arn
  storage_encrypted                   = true
  kms_key_id                          = local.kms_arn
  db_subnet_group_name                = aws_db_subnet_group.this[0].name
  vpc_security_group_ids              = [aws_security_group.database[0].id]
  db_cluster_parameter_group_name     = aws_rds_cluster_parameter_group.this[0].name
  iam_database_authentication_enabled = var.database.iam_auth
  backup_retention_period             = max(var.database.backup_days, 1)
  copy_tags_to_snapshot               = true
  deletion_protection                 = local.protected
  skip_final_snapshot                 = !local.protected
  final_snapshot_identifier           = local.protected ? "${local.name}-final" : null
  apply_immediately                   = var.database.apply_immediately
  enabled_cloudwatch_logs_exports     = ["postgresql"]
  serverlessv2_scaling_configuration {
    min_capacity = var.database.min_capacity
    max_capacity = var.database.max_capacity
  }
  tags       = local.tags
  depends_on = [aws_cloudwatch_log_group.database]
}

resource "aws_rds_cluster_instance" "this" {
  #checkov:skip=CKV_AWS_118:monitoring_seconds is the caller's; docmill-aws sets it in prod
  #checkov:skip=CKV_AWS_353:performance_insights is the caller's, and on by default
  # One writer; multi_az asks for at least one reader, which Aurora places in another zone.
  count = local.create_aurora ? 1 + max(var.database.replicas, var.database.multi_az ? 1 : 0) : 0

  region                          = local.region
  identifier                      = "${local.name}-${count.index}"
  cluster_identifier              = aws_rds_cluster.this[0].id
  engine                          = "aurora-postgresql"
  instance_class                  = "db.serverless"
  ca_cert_identifier              = "rds-ca-rsa2048-g1"
  publicly_accessible             = false
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  apply_immediately               = var.database.apply_immediately
  performance_insights_enabled    = var.database.performance_insights
  performance_insights_kms_key_id = var.database.performance_insights ? local.kms_arn : null
  monitoring_interval             = var.database.monitoring_seconds
  monitoring_role_arn             = one(aws_iam_role.database_monitoring[*].arn)
  tags                            = local.tags
}
