# Locking needs nothing but this bucket: with `use_lockfile` Terraform writes KEY.tflock beside the state by a
# conditional PUT, which S3 grants to one writer only.

data "aws_partition" "current" {}

locals {
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket_name}"
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144:a state describes one region, and is rebuilt by import if that is lost
  #checkov:skip=CKV_AWS_145:kms_key_arn is the caller's; SSE-S3 without
  #checkov:skip=CKV_AWS_18:access_log_bucket is the caller's
  #checkov:skip=CKV2_AWS_62:nobody works on states by event
  count = var.create ? 1 : 0

  region        = var.region
  bucket        = var.bucket_name
  force_destroy = false
  tags          = merge({ managed-by = "terraform" }, var.tags)
  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.create ? 1 : 0

  region = var.region
  bucket = aws_s3_bucket.this[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = var.create ? 1 : 0

  region                  = var.region
  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = var.create ? 1 : 0

  region = var.region
  bucket = aws_s3_bucket.this[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = var.create ? 1 : 0

  region = var.region
  bucket = aws_s3_bucket.this[0].id
  rule {
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn != null ? "aws:kms" : "AES256"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = var.create ? 1 : 0

  region = var.region
  bucket = aws_s3_bucket.this[0].id
  rule {
    id     = "old-states"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_logging" "this" {
  count = var.create && var.access_log_bucket != null ? 1 : 0

  region        = var.region
  bucket        = aws_s3_bucket.this[0].id
  target_bucket = var.access_log_bucket
  target_prefix = "${var.bucket_name}/"
}

resource "aws_s3_bucket_policy" "this" {
  count = var.create ? 1 : 0

  region = var.region
  bucket = aws_s3_bucket.this[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TLSOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        # A state's versions are its only backups; the lifecycle rule alone removes them, by age.
        Sid       = "VersionsStay"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:DeleteBucket", "s3:DeleteObjectVersion", "s3:PutBucketVersioning"]
        Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = "arn:${data.aws_partition.current.partition}:iam::*:root" } }
      },
    ]
  })
  depends_on = [aws_s3_bucket_public_access_block.this, aws_s3_bucket_versioning.this]
}
