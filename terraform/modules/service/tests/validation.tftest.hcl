# Each validation's failure: one bad value, refused by the variable that it belongs to.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  service_name = "orders"
  environment  = "dev"
  region       = "eu-central-1"
  network      = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"] }
}

run "service_name_with_capitals" {
  command = plan
  variables {
    service_name = "Orders"
  }
  expect_failures = [var.service_name]
}

run "service_name_too_long_for_a_bucket" {
  command = plan
  variables {
    service_name = "twenty-characters-ab"
  }
  expect_failures = [var.service_name]
}

run "environment_unknown" {
  command = plan
  variables {
    environment = "preprod"
  }
  expect_failures = [var.environment]
}

run "region_no_code" {
  command = plan
  variables {
    region = "Frankfurt"
  }
  expect_failures = [var.region]
}

run "boundary_no_arn" {
  command = plan
  variables {
    permissions_boundary_arn = "boundary"
  }
  expect_failures = [var.permissions_boundary_arn]
}

run "kms_both" {
  command = plan
  variables {
    kms = { create = true, key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
  }
  expect_failures = [var.kms]
}

run "kms_alias" {
  command = plan
  variables {
    kms = { key_arn = "alias/key" }
  }
  expect_failures = [var.kms]
}

run "identity_kind" {
  command = plan
  variables {
    workload_identity = { kind = "magic", namespace = "a" }
  }
  expect_failures = [var.workload_identity]
}

run "pod_identity_without_cluster" {
  command = plan
  variables {
    workload_identity = { kind = "pod_identity", namespace = "a" }
  }
  expect_failures = [var.workload_identity]
}

run "irsa_without_provider" {
  command = plan
  variables {
    workload_identity = { kind = "irsa", namespace = "a" }
  }
  expect_failures = [var.workload_identity]
}

run "identity_without_namespace" {
  command = plan
  variables {
    workload_identity = { kind = "pod_identity", cluster_name = "c" }
  }
  expect_failures = [var.workload_identity]
}

run "component_name" {
  command = plan
  variables {
    components = { Api = {} }
  }
  expect_failures = [var.components]
}

run "component_bucket_right" {
  command = plan
  variables {
    components = { api = { bucket = "admin" } }
  }
  expect_failures = [var.components]
}

run "component_without_bucket" {
  command = plan
  variables {
    components = { api = { bucket = "read" } }
  }
  expect_failures = [var.components]
}

run "component_unknown_queue" {
  command = plan
  variables {
    components = { api = { send = ["nowhere"] } }
  }
  expect_failures = [var.components]
}

run "component_unknown_secret" {
  command = plan
  variables {
    components = { api = { secrets = ["nothing"] } }
  }
  expect_failures = [var.components]
}

run "component_without_database" {
  command = plan
  variables {
    components = { api = { database_users = ["me"] } }
  }
  expect_failures = [var.components]
}

run "component_without_cache" {
  command = plan
  variables {
    components = { api = { cache = true } }
  }
  expect_failures = [var.components]
}

run "bucket_name" {
  command = plan
  variables {
    bucket = { create = true, name = "Not_A_Bucket" }
  }
  expect_failures = [var.bucket]
}

run "force_destroy_in_prod" {
  command = plan
  variables {
    environment = "prod"
    bucket      = { create = true, force_destroy = true }
  }
  expect_failures = [var.bucket]
}

run "force_destroy_in_staging" {
  command = plan
  variables {
    environment = "staging"
    bucket      = { create = true, force_destroy = true }
  }
  expect_failures = [var.bucket]
}

run "bucket_days" {
  command = plan
  variables {
    bucket = { create = true, noncurrent_days = 0 }
  }
  expect_failures = [var.bucket]
}

run "bucket_infrequent_access_early" {
  command = plan
  variables {
    bucket = { create = true, infrequent_access_days = 7 }
  }
  expect_failures = [var.bucket]
}

run "bucket_two_logs" {
  command = plan
  variables {
    bucket = { create = true, access_logs = { create = true, bucket = "logs" } }
  }
  expect_failures = [var.bucket]
}

run "bucket_event_queue" {
  command = plan
  variables {
    bucket = { create = true, events = { "inbox/" = { queue = "nowhere" } } }
  }
  expect_failures = [var.bucket]
}

run "bucket_cors_wildcard" {
  command = plan
  variables {
    bucket = { create = true, cors_origins = ["*"] }
  }
  expect_failures = [var.bucket]
}

run "replica_without_bucket" {
  command = plan
  variables {
    replication = { create = true, region = "eu-west-1" }
  }
  expect_failures = [var.replication]
}

run "replica_in_place" {
  command = plan
  variables {
    bucket      = { create = true }
    replication = { create = true, region = "eu-central-1" }
  }
  expect_failures = [var.replication]
}

run "replica_without_key" {
  command = plan
  variables {
    kms         = { create = true }
    bucket      = { create = true }
    replication = { create = true, region = "eu-west-1" }
  }
  expect_failures = [var.replication]
}

run "replica_days" {
  command = plan
  variables {
    replication = { expire_days = 0 }
  }
  expect_failures = [var.replication]
}

run "queue_name" {
  command = plan
  variables {
    queues = { "Big Queue" = {} }
  }
  expect_failures = [var.queues]
}

run "queue_visibility" {
  command = plan
  variables {
    queues = { work = { visibility_seconds = 50000 } }
  }
  expect_failures = [var.queues]
}

run "queue_retention" {
  command = plan
  variables {
    queues = { work = { retention_seconds = 1 } }
  }
  expect_failures = [var.queues]
}

run "queue_receives" {
  command = plan
  variables {
    queues = { work = { max_receives = 0 } }
  }
  expect_failures = [var.queues]
}

run "database_engine" {
  command = plan
  variables {
    database = { create = true, engine = "mysql" }
  }
  expect_failures = [var.database]
}

run "database_one_subnet" {
  command = plan
  variables {
    network  = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a"] }
    database = { create = true }
  }
  expect_failures = [var.database]
}

run "database_version" {
  command = plan
  variables {
    database = { create = true, engine_version = "9.6" }
  }
  expect_failures = [var.database]
}

run "database_storage" {
  command = plan
  variables {
    database = { create = true, storage_gb = 200, max_storage_gb = 100 }
  }
  expect_failures = [var.database]
}

run "database_capacity" {
  command = plan
  variables {
    database = { create = true, min_capacity = 8, max_capacity = 4 }
  }
  expect_failures = [var.database]
}

run "database_of_prod_in_one_zone" {
  command = plan
  variables {
    environment = "prod"
    database    = { create = true }
  }
  expect_failures = [var.database]
}

run "database_of_prod_without_backups" {
  command = plan
  variables {
    environment = "prod"
    database    = { create = true, multi_az = true, backup_days = 1 }
  }
  expect_failures = [var.database]
}

run "database_replicas_without_backups" {
  command = plan
  variables {
    database = { create = true, replicas = 1, backup_days = 0 }
  }
  expect_failures = [var.database]
}

run "database_monitoring" {
  command = plan
  variables {
    database = { create = true, monitoring_seconds = 7 }
  }
  expect_failures = [var.database]
}

run "database_backups_in_place" {
  command = plan
  variables {
    database = { create = true, replicate_backups_to = "eu-central-1" }
  }
  expect_failures = [var.database]
}

run "database_backups_without_key" {
  command = plan
  variables {
    kms      = { create = true }
    database = { create = true, replicate_backups_to = "eu-west-1" }
  }
  expect_failures = [var.database]
}

run "database_log_days" {
  command = plan
  variables {
    database = { create = true, log_days = 45 }
  }
  expect_failures = [var.database]
}

run "database_reserved_name" {
  command = plan
  variables {
    database = { create = true, master_username = "postgres" }
  }
  expect_failures = [var.database]
}

run "cache_without_network" {
  command = plan
  variables {
    network = {}
    cache   = { create = true }
  }
  expect_failures = [var.cache]
}

run "cache_replicas" {
  command = plan
  variables {
    cache = { create = true, replicas = 6 }
  }
  expect_failures = [var.cache]
}

run "cache_of_prod_alone" {
  command = plan
  variables {
    environment = "prod"
    cache       = { create = true }
  }
  expect_failures = [var.cache]
}

run "load_balancer_public_without_subnets" {
  command = plan
  variables {
    load_balancer = { create = true, internal = false, certificate_arn = "arn:aws:acm:x", ingress_cidrs = ["10.0.0.0/8"], routes = { a = { priority = 1, paths = ["/*"] } } }
  }
  expect_failures = [var.load_balancer]
}

run "load_balancer_without_certificate" {
  command = plan
  variables {
    load_balancer = { create = true, ingress_cidrs = ["10.0.0.0/8"], routes = { a = { priority = 1, paths = ["/*"] } } }
  }
  expect_failures = [var.load_balancer]
}

run "load_balancer_without_routes" {
  command = plan
  variables {
    load_balancer = { create = true, certificate_arn = "arn:aws:acm:x", ingress_cidrs = ["10.0.0.0/8"] }
  }
  expect_failures = [var.load_balancer]
}

run "load_balancer_same_priority" {
  command = plan
  variables {
    load_balancer = { routes = { a = { priority = 1, paths = ["/a"] }, b = { priority = 1, paths = ["/b"] } } }
  }
  expect_failures = [var.load_balancer]
}

run "load_balancer_cidr" {
  command = plan
  variables {
    load_balancer = { ingress_cidrs = ["everyone"] }
  }
  expect_failures = [var.load_balancer]
}

run "failover_half" {
  command = plan
  variables {
    failover = { create = true, zone_id = "Z1", name = "o.example.com" }
  }
  expect_failures = [var.failover]
}

run "secret_recovery" {
  command = plan
  variables {
    secrets = { key = { description = "k", recovery_days = 0 } }
  }
  expect_failures = [var.secrets]
}

run "secret_rotation" {
  command = plan
  variables {
    secrets = { key = { description = "k", rotation_days = 0 } }
  }
  expect_failures = [var.secrets]
}

run "repository_keep" {
  command = plan
  variables {
    repositories = { api = { keep = 0 } }
  }
  expect_failures = [var.repositories]
}

run "log_retention" {
  command = plan
  variables {
    logs = { create = true, retention_days = 45 }
  }
  expect_failures = [var.logs]
}

run "alarm_topic" {
  command = plan
  variables {
    alarms = { create = true, topic_arns = ["me@example.com"] }
  }
  expect_failures = [var.alarms]
}

run "backup_of_nothing" {
  command = plan
  variables {
    backup = { create = true }
  }
  expect_failures = [var.backup]
}

run "backup_days" {
  command = plan
  variables {
    backup = { retention_days = 0 }
  }
  expect_failures = [var.backup]
}

run "backup_schedule" {
  command = plan
  variables {
    backup = { schedule = "daily" }
  }
  expect_failures = [var.backup]
}

run "backup_copy_in_place" {
  command = plan
  variables {
    backup = { copy_to_region = "eu-central-1" }
  }
  expect_failures = [var.backup]
}

run "budget_without_emails" {
  command = plan
  variables {
    budget = { create = true }
  }
  expect_failures = [var.budget]
}

run "budget_of_nothing" {
  command = plan
  variables {
    budget = { monthly_usd = 0 }
  }
  expect_failures = [var.budget]
}
