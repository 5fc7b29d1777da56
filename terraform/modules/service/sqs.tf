################################################################################
# Queues, each with its dead letters
################################################################################

locals {
  queues = var.create ? var.queues : {}
  # Which queues the bucket announces new objects to.
  event_queues = toset([for e in var.bucket.events : e.queue])
}

resource "aws_sqs_queue" "this" {
  for_each = local.queues

  region                            = local.region
  name                              = "${local.name}-${each.key}"
  visibility_timeout_seconds        = each.value.visibility_seconds
  message_retention_seconds         = each.value.retention_seconds
  receive_wait_time_seconds         = 20
  sqs_managed_sse_enabled           = local.use_kms ? null : true
  kms_master_key_id                 = local.kms_arn
  kms_data_key_reuse_period_seconds = local.use_kms ? 3600 : null
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter[each.key].arn
    maxReceiveCount     = each.value.max_receives
  })
  tags = local.tags
}

resource "aws_sqs_queue" "dead_letter" {
  for_each = local.queues

  region = local.region
  name   = "${local.name}-${each.key}-dead"
  # The clock runs on from a message's first sending, so dead letters are kept as long as can be.
  message_retention_seconds         = 1209600
  sqs_managed_sse_enabled           = local.use_kms ? null : true
  kms_master_key_id                 = local.kms_arn
  kms_data_key_reuse_period_seconds = local.use_kms ? 3600 : null
  tags                              = local.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letter" {
  for_each = local.queues

  region    = local.region
  queue_url = aws_sqs_queue.dead_letter[each.key].id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.this[each.key].arn]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = local.queues

  region    = local.region
  queue_url = aws_sqs_queue.this[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.queue_tls_only, { Resource = local.queue_arns[each.key] })],
      local.protected ? [merge(local.queue_protected, { Resource = local.queue_arns[each.key] })] : [],
      contains(local.event_queues, each.key) ? [{
        Sid       = "BucketAnnounces"
        Effect    = "Allow"
        Principal = { Service = "s3.${local.dns_suffix}" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns[each.key]
        Condition = {
          ArnEquals    = { "aws:SourceArn" = local.bucket_arn }
          StringEquals = { "aws:SourceAccount" = local.account_id }
        }
      }] : [],
    )
  })
}

resource "aws_sqs_queue_policy" "dead_letter" {
  for_each = local.queues

  region    = local.region
  queue_url = aws_sqs_queue.dead_letter[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [merge(local.queue_tls_only, { Resource = "${local.queue_arns[each.key]}-dead" })],
      local.protected ? [merge(local.queue_protected, { Resource = "${local.queue_arns[each.key]}-dead" })] : [],
    )
  })
}

locals {
  queue_tls_only = {
    Sid       = "TLSOnly"
    Effect    = "Deny"
    Principal = "*"
    Action    = "sqs:*"
    Condition = { Bool = { "aws:SecureTransport" = "false" } }
  }
  queue_protected = {
    Sid       = "NeverDeleted"
    Effect    = "Deny"
    Principal = "*"
    Action    = ["sqs:DeleteQueue", "sqs:PurgeQueue"]
  }
}
