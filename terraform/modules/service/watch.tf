################################################################################
# Logs
################################################################################

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:retention_days is the caller's, and paid by the gigabyte
  #checkov:skip=CKV_AWS_158:kms is the caller's
  count = var.create && var.logs.create ? 1 : 0

  region            = local.region
  name              = "/${var.environment}/${var.service_name}"
  retention_in_days = var.logs.retention_days
  kms_key_id        = local.kms_arn
  tags              = local.tags
}

################################################################################
# Alarms
################################################################################

locals {
  create_alarms = var.create && var.alarms.create
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  for_each = local.create_alarms ? local.queues : {}

  region              = local.region
  alarm_name          = "${local.name}-${each.key}-age"
  alarm_description   = "the oldest message of ${local.name}-${each.key} has waited over ${each.value.max_age_alarm_seconds} s: are consumers running?"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.this[each.key].name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.max_age_alarm_seconds
  period              = 60
  evaluation_periods  = 5
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.create_alarms ? local.queues : {}

  region              = local.region
  alarm_name          = "${local.name}-${each.key}-dead"
  alarm_description   = "${local.name}-${each.key} has set messages aside: read them before they expire"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letter[each.key].name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "database_cpu" {
  count = local.create_alarms && local.create_database ? 1 : 0

  region              = local.region
  alarm_name          = "${local.name}-db-cpu"
  alarm_description   = "the database of ${local.name} has been over 80 % CPU for 15 minutes"
  namespace           = "AWS/RDS"
  metric_name         = "CPUUtilization"
  dimensions          = local.create_rds ? { DBInstanceIdentifier = local.name } : { DBClusterIdentifier = local.name }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 80
  period              = 300
  evaluation_periods  = 3
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  # Aurora's storage has no end to run into.
  count = local.create_alarms && local.create_rds ? 1 : 0

  region              = local.region
  alarm_name          = "${local.name}-db-storage"
  alarm_description   = "the database of ${local.name} has less than 2 GiB free and could not grow: raise max_storage_gb"
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = local.name }
  statistic           = "Minimum"
  comparison_operator = "LessThanThreshold"
  threshold           = 2 * 1024 * 1024 * 1024
  period              = 300
  evaluation_periods  = 1
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
  tags                = local.tags
}

################################################################################
# Budget
################################################################################

resource "aws_budgets_budget" "this" {
  count = var.create && var.budget.create ? 1 : 0

  name         = local.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget.monthly_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:service$%s", var.service_name)]
  }
  cost_filter {
    name   = "LinkedAccount"
    values = [local.account_id]
  }
  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = var.budget.emails
    }
  }
  tags = local.tags
}
