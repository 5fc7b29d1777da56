locals {
  # Sizes by environment; docs/cost.md prices them.
  sizes = {
    dev = {
      database   = { instance_class = "db.t4g.micro", storage_gb = 20, max_storage_gb = 50, backup_days = 1 }
      logs       = { create = true, retention_days = 7 }
      alarms     = false
      backup     = false
      access_log = false
      kms        = {}
      budget     = 50
    }
    qa = {
      database   = { instance_class = "db.t4g.micro", storage_gb = 20, max_storage_gb = 50, backup_days = 1 }
      logs       = { create = true, retention_days = 7 }
      alarms     = false
      backup     = false
      access_log = false
      kms        = {}
      budget     = 50
    }
    # As prod in kind (two zones, alarms, protected), not in size.
    staging = {
      database   = { instance_class = "db.t4g.small", storage_gb = 20, max_storage_gb = 100, multi_az = true, backup_days = 7 }
      logs       = { create = true, retention_days = 30 }
      alarms     = true
      backup     = false
      access_log = true
      kms        = {}
      budget     = 150
    }
    prod = {
      database   = { instance_class = "db.m7g.large", storage_gb = 100, max_storage_gb = 500, multi_az = true, backup_days = 14, monitoring_seconds = 60 }
      logs       = { create = true, retention_days = 90 }
      alarms     = true
      backup     = true
      access_log = true
      kms        = { create = true }
      budget     = 550
    }
  }
  size     = local.sizes[var.environment]
  database = merge({ create = true, name = "docmill", iam_auth = true }, local.size.database, { for k, v in var.database : k => v if v != null })

  lanes  = ["interactive", "bulk"]
  queues = concat(local.lanes, ["intake"])
  inbox  = ["inbox/"]
  # The database's roles, which the README says how to make, once: API and worker log in as the one, which reads and writes rows;
  # docmill-provision as the other, which owns the schema.
  database_user   = "docmill"
  database_owner  = "docmill_owner"
  database_users  = local.database.iam_auth ? [local.database_user] : []
  database_owners = local.database.iam_auth ? [local.database_owner] : []
}

module "service" {
  source = "../service"

  create                   = var.create
  service_name             = var.name
  environment              = var.environment
  region                   = var.region
  tags                     = var.tags
  deletion_protection      = var.deletion_protection
  permissions_boundary_arn = var.permissions_boundary_arn
  kms                      = var.kms != null ? var.kms : local.size.kms
  network                  = var.network

  bucket = {
    create       = true
    access_logs  = { create = local.size.access_log }
    cors_origins = var.upload_origins
    # docmill erases versions itself, at once; the lifecycle rule is behind it for what a crash left over.
    noncurrent_days = 7
    expire_prefixes = { for prefix in local.inbox : prefix => var.inbox_days if var.inbox_days != null }
    events          = { for prefix in local.inbox : prefix => { queue = "intake" } }
  }
  replication = {
    create      = var.replica_region != null
    region      = var.replica_region
    kms_key_arn = var.replica_kms_key_arn
  }
  queues = {
    # The catalog counts attempts; a ring is set aside only where workers keep dying before they have claimed its job.
    interactive = { visibility_seconds = var.job_seconds, max_receives = 100, max_age_alarm_seconds = 60 }
    bulk        = { visibility_seconds = var.job_seconds, max_receives = 100, max_age_alarm_seconds = 3600 }
    intake      = { visibility_seconds = 300, max_age_alarm_seconds = 900 }
  }
  database = local.database

  workload_identity = {
    kind              = var.cluster.name != null ? "pod_identity" : "irsa"
    cluster_name      = var.cluster.name
    oidc_provider_arn = var.cluster.oidc_provider_arn
    namespace         = var.namespace
  }
  components = {
    # API and worker both do the chores: relay and sweeper ring the lanes and erase. Only the worker receives. What is dropped under inbox/
    # the worker copies, and neither touches.
    api       = { bucket = "write", keeps = local.inbox, send = local.lanes, database_users = local.database_users }
    worker    = { bucket = "write", keeps = local.inbox, send = local.lanes, receive = local.queues, database_users = local.database_users }
    provision = { bucket = "inspect", inspect = local.queues, database_users = local.database_owners }
  }
  secrets = {
    first-api-key = { description = "the first API key, api.first_key: dmk_ and 64 hex digits" }
  }

  load_balancer = merge(var.load_balancer, { routes = { api = { priority = 10, paths = ["/*"] } } })

  logs   = local.size.logs
  alarms = { create = local.size.alarms, topic_arns = var.alarm_topic_arns }
  backup = { create = local.size.backup }
  budget = { create = length(var.budget_emails) > 0, monthly_usd = local.size.budget, emails = var.budget_emails }
}
