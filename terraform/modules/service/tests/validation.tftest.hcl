# Each validation's failure. A run gives bad values to several variables whose validations do not look at each other: as good as a run for each,
# in a third of the time. What is wrong with a value stands over it.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  service_name = "orders"
  environment  = "dev"
  region       = "eu-central-1"
  network      = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"] }
}

run "refused_01" {
  command = plan
  variables {
    # database engine
    database = { create = true, engine = "mysql" }
    # bucket name
    bucket = { create = true, name = "Not_A_Bucket" }
    # load balancer public without subnets
    load_balancer = { create = true, internal = false, certificate_arn = "arn:aws:acm:x", ingress_cidrs = ["10.0.0.0/8"], routes = { a = { priority = 1, paths = ["/*"] } } }
    # identity kind
    workload_identity = { kind = "magic", namespace = "a" }
    # cache replicas
    cache = { create = true, replicas = 6 }
    # budget without emails
    budget = { create = true }
    # secret recovery
    secrets = { key = { description = "k", recovery_days = 0 } }
    # service name with capitals
    service_name = "Orders"
    # alarm topic
    alarms = { create = true, topic_arns = ["me@example.com"] }
    # failover half
    failover = { create = true, zone_id = "Z1", name = "o.example.com" }
    # log retention
    logs = { create = true, retention_days = 45 }
    # boundary no arn
    permissions_boundary_arn = "boundary"
    # repository keep
    repositories = { api = { keep = 0 } }
  }
  expect_failures = [var.database, var.bucket, var.load_balancer, var.workload_identity, var.cache, var.budget, var.secrets, var.service_name, var.alarms, var.failover, var.logs, var.permissions_boundary_arn, var.repositories]
}

run "refused_02" {
  command = plan
  variables {
    # database one subnet
    network  = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a"] }
    database = { create = true }
    # bucket days
    bucket = { create = true, noncurrent_days = 0 }
    # pod identity without cluster
    workload_identity = { kind = "pod_identity", namespace = "a" }
    # budget of nothing
    budget = { monthly_usd = 0 }
    # secret rotation
    secrets = { key = { description = "k", rotation_days = 0 } }
    # service name too long for a bucket
    service_name = "twenty-characters-ab"
  }
  expect_failures = [var.database, var.bucket, var.workload_identity, var.budget, var.secrets, var.service_name]
}

run "refused_03" {
  command = plan
  variables {
    # database version
    database = { create = true, engine_version = "9.6" }
    # bucket infrequent access early
    bucket = { create = true, infrequent_access_days = 7 }
    # load balancer without certificate
    load_balancer = { create = true, ingress_cidrs = ["10.0.0.0/8"], routes = { a = { priority = 1, paths = ["/*"] } } }
    # irsa without provider
    workload_identity = { kind = "irsa", namespace = "a" }
  }
  expect_failures = [var.database, var.bucket, var.load_balancer, var.workload_identity]
}

run "refused_04" {
  command = plan
  variables {
    # database storage
    database = { create = true, storage_gb = 200, max_storage_gb = 100 }
    # bucket two logs
    bucket = { create = true, access_logs = { create = true, bucket = "logs" } }
    # load balancer without routes
    load_balancer = { create = true, certificate_arn = "arn:aws:acm:x", ingress_cidrs = ["10.0.0.0/8"] }
    # identity without namespace
    workload_identity = { kind = "pod_identity", cluster_name = "c" }
  }
  expect_failures = [var.database, var.bucket, var.load_balancer, var.workload_identity]
}

run "refused_05" {
  command = plan
  variables {
    # database capacity
    database = { create = true, min_capacity = 8, max_capacity = 4 }
    # bucket event queue
    bucket = { create = true, events = { "inbox/" = { queue = "nowhere" } } }
    # load balancer same priority
    load_balancer = { routes = { a = { priority = 1, paths = ["/a"] }, b = { priority = 1, paths = ["/b"] } } }
  }
  expect_failures = [var.database, var.bucket, var.load_balancer]
}

run "refused_06" {
  command = plan
  variables {
    # database of prod in one zone
    environment = "prod"
    database    = { create = true }
    # load balancer cidr
    load_balancer = { ingress_cidrs = ["everyone"] }
    # queue name
    queues = { "Big Queue" = {} }
  }
  expect_failures = [var.database, var.load_balancer, var.queues]
}

run "refused_07" {
  command = plan
  variables {
    # database of prod without backups
    environment = "prod"
    database    = { create = true, multi_az = true, backup_days = 1 }
    # queue visibility
    queues = { work = { visibility_seconds = 50000 } }
  }
  expect_failures = [var.database, var.queues]
}

run "refused_08" {
  command = plan
  variables {
    # database replicas of RDS
    database = { create = true, replicas = 1 }
    # bucket cors wildcard
    bucket = { create = true, cors_origins = ["*"] }
  }
  expect_failures = [var.database, var.bucket]
}

run "refused_09" {
  command = plan
  variables {
    # database monitoring
    database = { create = true, monitoring_seconds = 7 }
    # queue retention
    queues = { work = { retention_seconds = 1 } }
  }
  expect_failures = [var.database, var.queues]
}

run "refused_10" {
  command = plan
  variables {
    # database backups in place
    database = { create = true, replicate_backups_to = "eu-central-1" }
    # queue receives
    queues = { work = { max_receives = 0 } }
  }
  expect_failures = [var.database, var.queues]
}

run "refused_11" {
  command = plan
  variables {
    # database backups without key
    kms      = { create = true }
    database = { create = true, replicate_backups_to = "eu-west-1" }
  }
  expect_failures = [var.database]
}

run "refused_12" {
  command = plan
  variables {
    # database log days
    database = { create = true, log_days = 45 }
    # replica without bucket
    replication = { create = true, region = "eu-west-1" }
  }
  expect_failures = [var.database, var.replication]
}

run "refused_13" {
  command = plan
  variables {
    # database reserved name
    database = { create = true, master_username = "postgres" }
    # replica in place
    bucket      = { create = true }
    replication = { create = true, region = "eu-central-1" }
  }
  expect_failures = [var.database, var.replication]
}

run "refused_14" {
  command = plan
  variables {
    # force destroy in prod
    environment = "prod"
    bucket      = { create = true, force_destroy = true }
  }
  expect_failures = [var.bucket]
}

run "refused_15" {
  command = plan
  variables {
    # force destroy in staging
    environment = "staging"
    bucket      = { create = true, force_destroy = true }
  }
  expect_failures = [var.bucket]
}

run "refused_16" {
  command = plan
  variables {
    # component name
    components = { Api = {} }
    # backup of nothing
    backup = { create = true }
    # replica days
    replication = { expire_days = 0 }
  }
  expect_failures = [var.components, var.backup, var.replication]
}

run "refused_17" {
  command = plan
  variables {
    # component bucket right
    components = { api = { bucket = "admin" } }
    # backup days
    backup = { retention_days = 0 }
  }
  expect_failures = [var.components, var.backup]
}

run "refused_18" {
  command = plan
  variables {
    # component without bucket
    components = { api = { bucket = "read" } }
    # backup schedule
    backup = { schedule = "daily" }
  }
  expect_failures = [var.components, var.backup]
}

run "refused_19" {
  command = plan
  variables {
    # component unknown queue
    components = { api = { send = ["nowhere"] } }
    # backup copy in place
    backup = { copy_to_region = "eu-central-1" }
  }
  expect_failures = [var.components, var.backup]
}

run "refused_20" {
  command = plan
  variables {
    # component unknown secret
    components = { api = { secrets = ["nothing"] } }
  }
  expect_failures = [var.components]
}

run "refused_21" {
  command = plan
  variables {
    # component without database
    components = { api = { database_users = ["me"] } }
  }
  expect_failures = [var.components]
}

run "refused_22" {
  command = plan
  variables {
    # component without cache
    components = { api = { cache = true } }
  }
  expect_failures = [var.components]
}

run "refused_23" {
  command = plan
  variables {
    # replica without key
    kms         = { create = true }
    bucket      = { create = true }
    replication = { create = true, region = "eu-west-1" }
    # cache without network
    network = {}
    cache   = { create = true }
  }
  expect_failures = [var.replication, var.cache]
}

run "refused_24" {
  command = plan
  variables {
    # cache of prod alone
    environment = "prod"
    cache       = { create = true }
  }
  expect_failures = [var.cache]
}

run "refused_25" {
  command = plan
  variables {
    # kms both
    kms = { create = true, key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
  }
  expect_failures = [var.kms]
}

run "refused_26" {
  command = plan
  variables {
    # kms alias
    kms = { key_arn = "alias/key" }
    # expiry of a prefix that is none
    bucket = { create = true, expire_prefixes = { "/inbox" = 7 } }
  }
  expect_failures = [var.kms, var.bucket]
}

run "refused_27" {
  command = plan
  variables {
    # environment unknown
    environment = "preprod"
  }
  expect_failures = [var.environment]
}

run "refused_28" {
  command = plan
  variables {
    # region no code
    region = "Frankfurt"
    # expiry of a prefix at once
    bucket = { create = true, expire_prefixes = { "inbox/" = 0 } }
    # tag of AWS's own
    tags = { "aws:owner" = "team" }
    # network by name
    network = { vpc_id = "platform-dev" }
  }
  expect_failures = [var.region, var.tags, var.network, var.bucket]
}

run "refused_29" {
  command = plan
  variables {
    # component keeps what it may not write
    bucket     = { create = true }
    components = { api = { bucket = "read", keeps = ["inbox/"] } }
  }
  expect_failures = [var.components]
}
