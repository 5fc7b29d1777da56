################################################################################
# Secrets (without their values)
################################################################################

locals {
  secrets = var.create ? var.secrets : {}
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:rotation needs the caller's function: rotation_lambda_arn
  for_each = local.secrets

  region                  = local.region
  name                    = local.secret_name[each.key]
  description             = each.value.description
  kms_key_id              = local.kms_arn
  recovery_window_in_days = each.value.recovery_days
  tags                    = local.tags
}

resource "aws_secretsmanager_secret_rotation" "this" {
  #checkov:skip=CKV_AWS_304:rotation_days is the caller's, 30 by default
  for_each = { for name, s in local.secrets : name => s if s.rotation_lambda_arn != null }

  region              = local.region
  secret_id           = aws_secretsmanager_secret.this[each.key].id
  rotation_lambda_arn = each.value.rotation_lambda_arn
  rotation_rules {
    automatically_after_days = each.value.rotation_days
  }
}
