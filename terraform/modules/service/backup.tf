################################################################################
# AWS Backup
################################################################################

locals {
  create_backup      = var.create && var.backup.create
  create_backup_copy = local.create_backup && var.backup.copy_to_region != null
}

resource "aws_backup_vault" "this" {
  count = local.create_backup ? 1 : 0

  region      = local.region
  name        = local.name
  kms_key_arn = local.kms_arn
  tags        = local.tags
}

resource "aws_backup_vault" "copy" {
  count = local.create_backup_copy ? 1 : 0

  region      = var.backup.copy_to_region
  name        = local.name
  kms_key_arn = var.backup.copy_kms_key_arn
  tags        = local.tags
}

resource "aws_backup_plan" "this" {
  count = local.create_backup ? 1 : 0

  region = local.region
  name   = local.name
  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this[0].name
    schedule          = var.backup.schedule
    lifecycle {
      delete_after                              = var.backup.retention_days
      opt_in_to_archive_for_supported_resources = false
    }
    dynamic "copy_action" {
      for_each = aws_backup_vault.copy[*].arn
      content {
        destination_vault_arn = copy_action.value
        lifecycle {
          delete_after                              = var.backup.retention_days
          opt_in_to_archive_for_supported_resources = false
        }
      }
    }
  }
  tags = local.tags
}

resource "aws_backup_selection" "this" {
  count = local.create_backup ? 1 : 0

  region       = local.region
  name         = local.name
  plan_id      = aws_backup_plan.this[0].id
  iam_role_arn = aws_iam_role.backup[0].arn
  resources = concat(
    local.create_bucket ? [local.bucket_arn] : [],
    aws_db_instance.this[*].arn,
    aws_rds_cluster.this[*].arn,
  )
}

resource "aws_iam_role" "backup" {
  count = local.create_backup ? 1 : 0

  name                 = "${local.name}-backup"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.${local.dns_suffix}" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
  tags = local.tags
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each = local.create_backup ? toset([
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "AWSBackupServiceRolePolicyForS3Backup",
  ]) : []

  role       = aws_iam_role.backup[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.value}"
}
