################################################################################
# Copy of the bucket in another region
################################################################################

locals {
  create_replica      = local.create_bucket && var.replication.create
  replica_name        = "${local.name}-${local.account_id}-${coalesce(var.replication.region, "none")}-replica"
  replica_arn         = "arn:${local.partition}:s3:::${local.replica_name}"
  replica_uses_kms    = var.replication.kms_key_arn != null
  replication_actions = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
}

resource "aws_s3_bucket" "replica" {
  #checkov:skip=CKV2_AWS_62:nobody works on the copy
  #checkov:skip=CKV_AWS_18:written by S3 itself alone; reading it is in CloudTrail
  #checkov:skip=CKV_AWS_144:it is the copy
  count = local.create_replica ? 1 : 0

  region        = var.replication.region
  bucket        = local.replica_name
  force_destroy = var.bucket.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "replica" {
  count = local.create_replica ? 1 : 0

  region                  = var.replication.region
  bucket                  = aws_s3_bucket.replica[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "replica" {
  count = local.create_replica ? 1 : 0

  region = var.replication.region
  bucket = aws_s3_bucket.replica[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "replica" {
  count = local.create_replica ? 1 : 0

  region = var.replication.region
  bucket = aws_s3_bucket.replica[0].id
  rule {
    bucket_key_enabled = local.replica_uses_kms
    apply_server_side_encryption_by_default {
      sse_algorithm     = local.replica_uses_kms ? "aws:kms" : "AES256"
      kms_master_key_id = var.replication.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "replica" {
  count = local.create_replica ? 1 : 0

  region = var.replication.region
  bucket = aws_s3_bucket.replica[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "replica" {
  count = local.create_replica ? 1 : 0

  region = var.replication.region
  bucket = aws_s3_bucket.replica[0].id
  rule {
    id     = "erasure-lag"
    status = "Enabled"
    filter {}
    # What was erased at the source is still here: it must go by age.
    expiration {
      days = var.replication.expire_days
    }
    noncurrent_version_expiration {
      noncurrent_days = var.bucket.noncurrent_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
  depends_on = [aws_s3_bucket_versioning.replica]
}

resource "aws_s3_bucket_policy" "replica" {
  count = local.create_replica ? 1 : 0

  region = var.replication.region
  bucket = aws_s3_bucket.replica[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.tls_only, { Resource = [local.replica_arn, "${local.replica_arn}/*"] })]
  })
  depends_on = [aws_s3_bucket_public_access_block.replica]
}

resource "aws_s3_bucket_replication_configuration" "this" {
  count = local.create_replica ? 1 : 0

  region = local.region
  bucket = aws_s3_bucket.this[0].id
  role   = aws_iam_role.replication[0].arn
  rule {
    id     = "all"
    status = "Enabled"
    filter {}
    delete_marker_replication {
      status = "Enabled"
    }
    dynamic "source_selection_criteria" {
      for_each = local.use_kms ? [1] : []
      content {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }
    }
    destination {
      bucket        = aws_s3_bucket.replica[0].arn
      storage_class = "STANDARD_IA"
      # Only for objects that are under a key at the source; others take the replica's default encryption.
      dynamic "encryption_configuration" {
        for_each = local.use_kms ? var.replication.kms_key_arn[*] : []
        content {
          replica_kms_key_id = encryption_configuration.value
        }
      }
    }
  }
  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_versioning.replica, aws_iam_role_policy.replication]
}

resource "aws_iam_role" "replication" {
  count = local.create_replica ? 1 : 0

  name                 = "${local.name}-replication"
  description          = "S3 copies ${local.bucket_name} to ${var.replication.region}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.${local.dns_suffix}" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
        ArnLike      = { "aws:SourceArn" = local.bucket_arn }
      }
    }]
  })
  tags = local.tags
}

resource "aws_iam_role_policy" "replication" {
  count = local.create_replica ? 1 : 0

  name = "replicate"
  role = aws_iam_role.replication[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Effect = "Allow", Action = ["s3:GetReplicationConfiguration", "s3:ListBucket"], Resource = local.bucket_arn },
        { Effect = "Allow", Action = local.replication_actions, Resource = "${local.bucket_arn}/*" },
        { Effect = "Allow", Action = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], Resource = "${local.replica_arn}/*" },
      ],
      local.use_kms ? [
        { Effect = "Allow", Action = "kms:Decrypt", Resource = local.kms_arn, Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.${local.dns_suffix}" } } },
      ] : [],
      local.replica_uses_kms ? [
        { Effect = "Allow", Action = ["kms:Encrypt", "kms:GenerateDataKey"], Resource = var.replication.kms_key_arn, Condition = { StringEquals = { "kms:ViaService" = "s3.${var.replication.region}.${local.dns_suffix}" } } },
      ] : [],
    )
  })
}
