# Nothing is made that was not asked for.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  service_name = "orders"
  environment  = "dev"
}

run "nothing_asked_nothing_made" {
  assert {
    condition     = output.bucket == null && output.database == null && output.cache == null && output.load_balancer == null && output.log_group == null && output.kms_key_arn == null
    error_message = "a part was made that nobody asked for"
  }
  assert {
    condition     = length(output.queues) + length(output.roles) + length(output.secrets) + length(output.repository_urls) == 0
    error_message = "a queue, role, secret or repository was made that nobody asked for"
  }
}

run "create_false_makes_nothing_of_anything" {
  variables {
    create       = false
    kms          = { create = true }
    bucket       = { create = true, access_logs = { create = true }, events = { "inbox/" = { queue = "work" } } }
    replication  = { create = true, region = "eu-west-1", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
    queues       = { work = {} }
    database     = { create = true, monitoring_seconds = 60 }
    cache        = { create = true }
    logs         = { create = true }
    alarms       = { create = true }
    backup       = { create = true }
    budget       = { create = true, emails = ["a@example.com"] }
    secrets      = { key = { description = "a key" } }
    repositories = { api = {} }
    network      = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"], client_security_groups = { cluster = "sg-1" } }
    load_balancer = {
      create          = true
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
      ingress_cidrs   = ["10.0.0.0/8"]
      routes          = { api = { priority = 1, paths = ["/*"] } }
    }
    failover          = { create = true, zone_id = "Z1", name = "o.example.com", primary = "a.example.com", secondary = "b.example.com" }
    workload_identity = { kind = "pod_identity", cluster_name = "c", namespace = "orders" }
    components        = { api = { bucket = "write", send = ["work"] } }
  }
  assert {
    condition = sum([for made in [
      aws_kms_key.this, aws_s3_bucket.this, aws_s3_bucket.access_logs, aws_s3_bucket.replica, aws_db_instance.this, aws_rds_cluster.this,
      aws_iam_role.database_monitoring, aws_iam_role.replication, aws_iam_role.backup, aws_elasticache_replication_group.this, aws_cloudwatch_log_group.this, aws_backup_vault.this,
      aws_budgets_budget.this, aws_lb.this, aws_security_group.database, aws_security_group.cache, aws_security_group.load_balancer, aws_route53_health_check.primary,
      ] : length(made)]) + sum([for made in [
      aws_sqs_queue.this, aws_sqs_queue.dead_letter, aws_iam_role.component, aws_secretsmanager_secret.this, aws_ecr_repository.this, aws_lb_target_group.this,
      aws_cloudwatch_metric_alarm.queue_age, aws_cloudwatch_metric_alarm.dead_letters, aws_route53_record.failover, aws_eks_pod_identity_association.component,
    ] : length(made)]) == 0
    error_message = "create = false still makes something"
  }
}
