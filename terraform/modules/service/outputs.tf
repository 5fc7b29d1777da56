output "name" {
  description = "SERVICE-ENV, the prefix of everything here."
  value       = local.name
}

output "region" {
  description = "Region that everything regional stands in."
  value       = local.region
}

output "bucket" {
  description = "The bucket's `name` and `arn`, and its `replica`'s name; null without one."
  value = local.create_bucket ? {
    name    = aws_s3_bucket.this[0].id
    arn     = local.bucket_arn
    replica = one(aws_s3_bucket.replica[*].id)
  } : null
}

output "bucket_expiry" {
  description = "By prefix: days until an object under it is gone."
  value       = local.create_bucket ? var.bucket.expire_prefixes : {}
}

output "queues" {
  description = "By queue: `url`, `arn`, `dead_letter_url`, `dead_letter_arn`."
  value = { for name in keys(local.queues) : name => {
    url             = aws_sqs_queue.this[name].url
    arn             = local.queue_arns[name]
    dead_letter_url = aws_sqs_queue.dead_letter[name].url
    dead_letter_arn = "${local.queue_arns[name]}-dead"
  } }
}

output "roles" {
  description = "By component: the role's `arn`, its `service_account`, and the `annotations` that service account needs (none for Pod Identity)."
  value = { for name in keys(local.components) : name => {
    arn             = aws_iam_role.component[name].arn
    service_account = local.service_accounts[name]
    annotations     = { for k, v in { "eks.amazonaws.com/role-arn" = aws_iam_role.component[name].arn } : k => v if var.workload_identity.kind == "irsa" }
  } }
}

output "database" {
  description = "Where the database is and which secret holds its master password: `host`, `reader_host`, `port`, `name`, `master_username`, `master_secret_arn`, `resource_id`; null without one."
  value = !local.create_database ? null : {
    host              = coalesce(one(aws_db_instance.this[*].address), one(aws_rds_cluster.this[*].endpoint))
    reader_host       = one(aws_rds_cluster.this[*].reader_endpoint)
    port              = 5432
    name              = local.database_name
    master_username   = var.database.master_username
    master_secret_arn = try(concat(aws_db_instance.this[*].master_user_secret, aws_rds_cluster.this[*].master_user_secret)[0][0].secret_arn, null)
    resource_id       = local.database_resource_id
    iam_auth          = var.database.iam_auth
  }
}

output "cache" {
  description = "The cache's `host`, `port` and IAM `user`; null without one."
  value = local.create_cache ? {
    host = aws_elasticache_replication_group.this[0].primary_endpoint_address
    port = 6379
    user = local.name
  } : null
}

output "load_balancer" {
  description = "The load balancer's `dns_name` and `zone_id`, and `target_group_arns` by route for TargetGroupBindings; null without one."
  value = local.create_alb ? {
    dns_name          = aws_lb.this[0].dns_name
    zone_id           = aws_lb.this[0].zone_id
    target_group_arns = { for name, group in aws_lb_target_group.this : name => group.arn }
  } : null
}

output "secrets" {
  description = "By secret: its `name` and `arn` in Secrets Manager."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => { name = secret.name, arn = secret.arn } }
}

output "repository_urls" {
  description = "By repository: the URL that images are pushed to."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "log_group" {
  description = "Name of the log group; null without one."
  value       = one(aws_cloudwatch_log_group.this[*].name)
}

output "kms_key_arn" {
  description = "ARN of the key in use; null where the services' own encryption is."
  value       = local.kms_arn
}

output "security_groups" {
  description = "Ids of the security groups made: `database`, `cache`, `load_balancer` (null where not)."
  value = {
    database      = one(aws_security_group.database[*].id)
    cache         = one(aws_security_group.cache[*].id)
    load_balancer = one(aws_security_group.load_balancer[*].id)
  }
}
