################################################################################
# Customer-managed key
################################################################################

locals {
  create_kms = var.create && var.kms.create
  kms_arn    = local.create_kms ? aws_kms_key.this[0].arn : var.kms.key_arn
  # Known while planning, where the key's ARN is not yet.
  use_kms = var.kms.create || var.kms.key_arn != null
}

resource "aws_kms_key" "this" {
  count = local.create_kms ? 1 : 0

  region                  = local.region
  description             = "encrypts what ${local.name} keeps"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # Leaves the decision to IAM policies in this account; without it the key could lock out everyone.
        Sid       = "AccountDecidesByIAM"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # S3 announces new objects to an encrypted queue.
        Sid       = "S3SendsEvents"
        Effect    = "Allow"
        Principal = { Service = "s3.${local.dns_suffix}" }
        Action    = ["kms:GenerateDataKey", "kms:Decrypt"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
      },
      {
        Sid       = "LogsEncrypt"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.${local.dns_suffix}" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = [
          for group in ["/${var.environment}/${var.service_name}", "/aws/rds/instance/${local.name}*", "/aws/rds/cluster/${local.name}/*"] : "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:${group}"
        ] } }
      },
    ]
  })
  tags = local.tags
}

resource "aws_kms_alias" "this" {
  count = local.create_kms ? 1 : 0

  region        = local.region
  name          = "alias/${local.name}"
  target_key_id = aws_kms_key.this[0].key_id
}
