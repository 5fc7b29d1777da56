# Bucket, copy, queues, key: each toggle, and the shape of what it makes.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  service_name = "orders"
  environment  = "dev"
  region       = "eu-central-1"
}

run "bucket_alone" {
  variables {
    bucket = { create = true }
  }
  assert {
    condition     = aws_s3_bucket.this[0].bucket == "orders-dev-123456789012-eu-central-1" && aws_s3_bucket.this[0].region == "eu-central-1" && !aws_s3_bucket.this[0].force_destroy
    error_message = "bucket: wrong name or region, or force_destroy is on"
  }
  assert {
    condition     = alltrue([for b in [aws_s3_bucket_public_access_block.this[0]] : b.block_public_acls && b.block_public_policy && b.ignore_public_acls && b.restrict_public_buckets])
    error_message = "bucket: public access is not blocked in all four ways"
  }
  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled" && one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "bucket: not versioned, or not SSE-S3 where no key is asked for"
  }
  assert {
    condition     = alltrue([for r in aws_s3_bucket_lifecycle_configuration.this[0].rule : r.noncurrent_version_expiration[0].noncurrent_days == 7 && r.expiration[0].expired_object_delete_marker && length(r.transition) == 0])
    error_message = "bucket: lifecycle does not expire noncurrent versions and stray delete markers"
  }
  assert {
    condition     = length(aws_s3_bucket_logging.this) + length(aws_s3_bucket.access_logs) + length(aws_s3_bucket_cors_configuration.this) + length(aws_s3_bucket_notification.this) + length(aws_s3_bucket.replica) == 0
    error_message = "bucket: logs, CORS, events or a replica were not asked for"
  }
}

run "bucket_with_everything" {
  variables {
    environment = "staging"
    kms         = { key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
    bucket = {
      create                 = true
      name                   = "orders-bucket"
      versioning             = false
      expire_days            = 365
      infrequent_access_days = 30
      expire_prefixes        = { "inbox/" = 20 }
      cors_origins           = ["https://orders.example.com"]
      access_logs            = { create = true, expire_days = 10 }
      events                 = { "inbox/" = { queue = "intake", suffix = ".pdf" } }
    }
    queues = { intake = {} }
  }
  assert {
    condition     = aws_s3_bucket.this[0].bucket == "orders-bucket" && aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Suspended"
    error_message = "bucket: name or versioning not taken"
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).bucket_key_enabled && one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms.key_arn
    error_message = "bucket: not encrypted by the named key"
  }
  assert {
    condition     = alltrue([for r in aws_s3_bucket_lifecycle_configuration.this[0].rule : r.expiration[0].days == 365 && one(r.transition).storage_class == "STANDARD_IA" if r.id == "tidy"])
    error_message = "bucket: expiry or transition not taken"
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.this[0].rule : r.expiration[0].days if r.id != "tidy" && r.filter[0].prefix == "inbox/"] == [20]
    error_message = "bucket: a prefix's expiry not taken"
  }
  assert {
    condition     = aws_s3_bucket.access_logs[0].bucket == "orders-bucket-logs" && aws_s3_bucket_logging.this[0].target_prefix == "orders-bucket/" && one(aws_s3_bucket_lifecycle_configuration.access_logs[0].rule[*].expiration[0].days) == 10
    error_message = "access logs: wrong bucket, prefix or expiry"
  }
  assert {
    condition     = one(aws_s3_bucket_notification.this[0].queue).filter_prefix == "inbox/" && one(aws_s3_bucket_notification.this[0].queue).filter_suffix == ".pdf"
    error_message = "events: wrong prefix or suffix"
  }
  assert {
    condition     = strcontains(aws_s3_bucket_policy.this[0].policy, "NeverDeleted") && strcontains(aws_sqs_queue_policy.this["intake"].policy, "BucketAnnounces")
    error_message = "staging's bucket is not protected, or the queue does not let the bucket announce"
  }
}

run "access_logs_to_a_named_bucket" {
  command = plan
  variables {
    bucket = { create = true, access_logs = { bucket = "central-logs" } }
  }
  assert {
    condition     = aws_s3_bucket_logging.this[0].target_bucket == "central-logs" && length(aws_s3_bucket.access_logs) == 0
    error_message = "access logs do not go to the bucket named"
  }
}

run "replica_in_another_region" {
  variables {
    bucket      = { create = true }
    replication = { create = true, region = "eu-west-1", expire_days = 45 }
  }
  assert {
    condition     = aws_s3_bucket.replica[0].region == "eu-west-1" && aws_s3_bucket.replica[0].bucket == "orders-dev-123456789012-eu-west-1-replica" && aws_s3_bucket_replication_configuration.this[0].region == "eu-central-1"
    error_message = "replica: wrong region or name"
  }
  assert {
    condition     = one(aws_s3_bucket_lifecycle_configuration.replica[0].rule[*].expiration[0].days) == 45
    error_message = "replica: what was erased is kept longer than said"
  }
  assert {
    condition     = output.bucket.replica != null
    error_message = "replica: not put out"
  }
}

run "replica_under_keys" {
  variables {
    kms         = { create = true }
    bucket      = { create = true }
    replication = { create = true, region = "eu-west-1", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/2" }
  }
  assert {
    condition     = length(one(aws_s3_bucket_replication_configuration.this[0].rule).source_selection_criteria) == 1 && strcontains(aws_iam_role_policy.replication[0].policy, "kms:Decrypt") && strcontains(aws_iam_role_policy.replication[0].policy, "key/2")
    error_message = "replica: objects under a key are not replicated, or the role may not use both keys"
  }
}

run "queues_with_dead_letters" {
  variables {
    queues = {
      interactive = { visibility_seconds = 30, max_receives = 3 }
      bulk        = { retention_seconds = 86400 }
    }
  }
  assert {
    condition     = toset(keys(output.queues)) == toset(["interactive", "bulk"]) && length(aws_sqs_queue.dead_letter) == 2
    error_message = "queues: not one dead-letter queue each"
  }
  assert {
    condition     = aws_sqs_queue.this["interactive"].name == "orders-dev-interactive" && aws_sqs_queue.dead_letter["interactive"].name == "orders-dev-interactive-dead" && aws_sqs_queue.this["interactive"].visibility_timeout_seconds == 30 && aws_sqs_queue.this["bulk"].message_retention_seconds == 86400
    error_message = "queues: name or settings not taken"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.this["interactive"].redrive_policy).maxReceiveCount == 3 && jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letter["bulk"].redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "queues: wrong redrive, or anyone may use the dead-letter queue"
  }
  assert {
    condition     = aws_sqs_queue.this["bulk"].sqs_managed_sse_enabled && aws_sqs_queue.dead_letter["bulk"].sqs_managed_sse_enabled && aws_sqs_queue.this["bulk"].kms_master_key_id == null
    error_message = "queues: not SSE-SQS where no key is asked for"
  }
  assert {
    condition     = output.queues["bulk"].arn == "arn:aws:sqs:eu-central-1:123456789012:orders-dev-bulk"
    error_message = "queues: an ARN made of names is wrong"
  }
}

run "key_for_all" {
  variables {
    kms          = { create = true }
    queues       = { work = {} }
    logs         = { create = true }
    secrets      = { token = { description = "a token" } }
    repositories = { api = {} }
  }
  assert {
    condition     = aws_kms_key.this[0].enable_key_rotation && aws_kms_alias.this[0].name == "alias/orders-dev"
    error_message = "key: not rotated, or without its alias"
  }
  assert {
    condition = alltrue([for key in [
      aws_sqs_queue.this["work"].kms_master_key_id, aws_sqs_queue.dead_letter["work"].kms_master_key_id, aws_cloudwatch_log_group.this[0].kms_key_id,
      aws_secretsmanager_secret.this["token"].kms_key_id, aws_ecr_repository.this["api"].encryption_configuration[0].kms_key,
    ] : key == aws_kms_key.this[0].arn])
    error_message = "key: something is not encrypted by it"
  }
}

run "secrets_rotate" {
  variables {
    secrets = {
      plain   = { description = "a secret" }
      rotated = { description = "a secret", rotation_lambda_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate", rotation_days = 14 }
    }
  }
  assert {
    condition     = keys(aws_secretsmanager_secret_rotation.this) == ["rotated"] && aws_secretsmanager_secret_rotation.this["rotated"].rotation_rules[0].automatically_after_days == 14
    error_message = "secrets: rotation is wrong"
  }
  assert {
    condition     = output.secrets["plain"].name == "orders-dev/plain"
    error_message = "secrets: wrong name"
  }
}

run "repositories" {
  variables {
    repositories = { api = { keep = 5 } }
  }
  assert {
    condition     = aws_ecr_repository.this["api"].name == "orders/api" && aws_ecr_repository.this["api"].image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this["api"].image_scanning_configuration[0].scan_on_push
    error_message = "repository: wrong name, or tags can be moved, or images are not scanned"
  }
  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this["api"].policy).rules[0].selection.countNumber == 5
    error_message = "repository: keeps the wrong number of images"
  }
}
