mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  bucket_name = "example-states"
}

# Plans only: prevent_destroy, which is wanted, would also stop this test's tidying up.
run "versioned_encrypted_private" {
  command = plan
  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.this[0].force_destroy && aws_s3_bucket_public_access_block.this[0].restrict_public_buckets
    error_message = "states are not versioned, or could be emptied or published"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256" && one(aws_s3_bucket_lifecycle_configuration.this[0].rule[*].noncurrent_version_expiration[0].noncurrent_days) == 90
    error_message = "states are not encrypted, or old ones not kept for 90 days"
  }
  assert {
    condition     = length(aws_s3_bucket_logging.this) == 0
    error_message = "access logs were not asked for"
  }
}

run "key_and_logs" {
  command = plan
  variables {
    kms_key_arn       = "arn:aws:kms:eu-central-1:123456789012:key/1"
    access_log_bucket = "central-logs"
    noncurrent_days   = 365
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this[0].rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn && aws_s3_bucket_logging.this[0].target_prefix == "example-states/"
    error_message = "key or logs not taken"
  }
}

run "off" {
  command = plan
  variables {
    create = false
  }
  assert {
    condition     = length(aws_s3_bucket.this) + length(aws_s3_bucket_policy.this) == 0 && output.bucket_name == null
    error_message = "create = false still makes something"
  }
}

run "bucket_name_bad" {
  command = plan
  variables {
    bucket_name = "Example_States"
  }
  expect_failures = [var.bucket_name]
}

run "key_by_alias" {
  command = plan
  variables {
    kms_key_arn = "alias/states"
  }
  expect_failures = [var.kms_key_arn]
}

run "versions_too_short" {
  command = plan
  variables {
    noncurrent_days = 7
  }
  expect_failures = [var.noncurrent_days]
}

run "region_logs_and_tags_bad" {
  command = plan
  variables {
    region            = "Frankfurt"
    access_log_bucket = "Central_Logs"
    tags              = { "aws:owner" = "team" }
  }
  expect_failures = [var.region, var.access_log_bucket, var.tags]
}
