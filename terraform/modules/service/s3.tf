################################################################################
# Bucket
################################################################################

locals {
  create_bucket = var.create && var.bucket.create
  create_logs   = local.create_bucket && var.bucket.access_logs.create
  log_bucket    = local.create_logs ? aws_s3_bucket.access_logs[0].id : var.bucket.access_logs.bucket

  tls_only = {
    Sid       = "TLSOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "s3:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_21:versioning is the caller's, and on by default
  #checkov:skip=CKV_AWS_18:access_logs is the caller's; docmill-aws sets it in staging and prod
  #checkov:skip=CKV2_AWS_62:events is the caller's
  #checkov:skip=CKV_AWS_144:replication is the caller's
  #checkov:skip=CKV_AWS_145:kms is the caller's; SSE-S3 without
  count = local.create_bucket ? 1 : 0

  region        = local.region
  bucket        = local.bucket_name
  force_destroy = var.bucket.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = local.create_bucket ? 1 : 0

  region                  = local.region
  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = local.create_bucket ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = local.create_bucket ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  rule {
    # The bucket key makes one request to KMS serve many objects.
    bucket_key_enabled = local.use_kms
    apply_server_side_encryption_by_default {
      sse_algorithm     = local.use_kms ? "aws:kms" : "AES256"
      kms_master_key_id = local.kms_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = local.create_bucket ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  versioning_configuration {
    status = var.bucket.versioning ? "Enabled" : "Suspended"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = local.create_bucket ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  rule {
    id     = "tidy"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = var.bucket.incomplete_upload_days
    }
    noncurrent_version_expiration {
      noncurrent_days = var.bucket.noncurrent_days
    }
    # A delete marker whose versions are gone; S3 refuses it beside `days`, which removes such markers itself.
    expiration {
      days                         = var.bucket.expire_days
      expired_object_delete_marker = var.bucket.expire_days == null ? true : null
    }
    dynamic "transition" {
      for_each = var.bucket.infrequent_access_days[*]
      content {
        days          = transition.value
        storage_class = "STANDARD_IA"
      }
    }
  }
  dynamic "rule" {
    for_each = var.bucket.expire_prefixes
    content {
      id     = "expire-${replace(rule.key, "/[^a-zA-Z0-9]+/", "-")}"
      status = "Enabled"
      filter {
        prefix = rule.key
      }
      expiration {
        days = rule.value
      }
    }
  }
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  count = local.create_bucket ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.tls_only, { Resource = [local.bucket_arn, "${local.bucket_arn}/*"] })],
      local.protected ? [{
        # Stops consoles and scripts; Terraform itself is stopped by the plan gate, because it removes this policy before the bucket.
        Sid       = "NeverDeleted"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:DeleteBucket"
        Resource  = local.bucket_arn
      }] : [],
    )
  })
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "this" {
  count = local.create_bucket && (var.bucket.access_logs.create || var.bucket.access_logs.bucket != null) ? 1 : 0

  region        = local.region
  bucket        = aws_s3_bucket.this[0].id
  target_bucket = local.log_bucket
  target_prefix = "${local.bucket_name}/"
}

resource "aws_s3_bucket_cors_configuration" "this" {
  count = local.create_bucket && length(var.bucket.cors_origins) > 0 ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  cors_rule {
    allowed_methods = ["PUT"]
    allowed_origins = var.bucket.cors_origins
    allowed_headers = ["*"]
    # The page must read a part's ETag to complete the upload.
    expose_headers  = ["ETag"]
    max_age_seconds = 3600
  }
}

resource "aws_s3_bucket_notification" "this" {
  count = local.create_bucket && length(var.bucket.events) > 0 ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  dynamic "queue" {
    for_each = var.bucket.events
    content {
      id            = replace(queue.key, "/[^a-zA-Z0-9]+/", "-")
      queue_arn     = aws_sqs_queue.this[queue.value.queue].arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.key
      filter_suffix = queue.value.suffix
    }
  }
  # S3 sends a test message when this is made, and refuses it if the queue does.
  depends_on = [aws_sqs_queue_policy.this]
}
