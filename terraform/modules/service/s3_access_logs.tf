################################################################################
# Access logs of the bucket, in a bucket of their own
################################################################################

resource "aws_s3_bucket" "access_logs" {
  #checkov:skip=CKV2_AWS_62:nobody works on logs
  #checkov:skip=CKV_AWS_144:logs die with their region
  #checkov:skip=CKV_AWS_145:S3 delivers access logs to SSE-S3 buckets only
  #checkov:skip=CKV_AWS_21:logs are written once and expire
  #checkov:skip=CKV_AWS_18:the logs of logs would never end
  count = local.create_logs ? 1 : 0

  region        = local.region
  bucket        = "${local.bucket_name}-logs"
  force_destroy = var.bucket.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "access_logs" {
  count = local.create_logs ? 1 : 0

  region                  = local.region
  bucket                  = aws_s3_bucket.access_logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "access_logs" {
  count = local.create_logs ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.access_logs[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  count = local.create_logs ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.access_logs[0].id
  rule {
    # S3 delivers access logs to SSE-S3 buckets only.
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  count = local.create_logs ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.access_logs[0].id
  rule {
    id     = "expire"
    status = "Enabled"
    filter {}
    expiration {
      days = var.bucket.access_logs.expire_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  count = local.create_logs ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.access_logs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      merge(local.tls_only, { Resource = ["${local.bucket_arn}-logs", "${local.bucket_arn}-logs/*"] }),
      {
        Sid       = "S3DeliversLogs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.${local.dns_suffix}" }
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arn}-logs/*"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.bucket_arn }
          StringEquals = { "aws:SourceAccount" = local.account_id }
        }
      },
    ]
  })
  depends_on = [aws_s3_bucket_public_access_block.access_logs]
}
