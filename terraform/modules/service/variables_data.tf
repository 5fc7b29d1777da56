################################################################################
# Bucket
################################################################################

variable "bucket" {
  description = <<-EOT
    The service's bucket: always private, TLS-only and encrypted. `name`: default SERVICE-ENV-ACCOUNT-REGION. `noncurrent_days`: days until an overwritten or
    deleted version is gone. `expire_days`: days until a current object is (null: never); `expire_prefixes`: the same by prefix. `access_logs`: to a bucket of its own (`create`), or to the one named.
    `events` announces objects made under a prefix to a queue of `queues`. `cors_origins`: origins whose pages upload by presigned URLs.
  EOT
  type = object({
    create                 = optional(bool, false)
    name                   = optional(string)
    force_destroy          = optional(bool, false)
    versioning             = optional(bool, true)
    noncurrent_days        = optional(number, 7)
    expire_days            = optional(number)
    expire_prefixes        = optional(map(number), {})
    infrequent_access_days = optional(number)
    incomplete_upload_days = optional(number, 2)
    cors_origins           = optional(list(string), [])
    access_logs = optional(object({
      create      = optional(bool, false)
      bucket      = optional(string)
      expire_days = optional(number, 90)
    }), {})
    events = optional(map(object({
      queue  = string
      suffix = optional(string)
    })), {})
  })
  default  = {}
  nullable = false
  validation {
    condition     = var.bucket.name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket.name))
    error_message = "bucket.name must be a valid S3 bucket name (3 to 63 characters of a-z, 0-9, '.' and '-'), or null for SERVICE-ENV-ACCOUNT-REGION."
  }
  validation {
    condition     = !(var.bucket.force_destroy && contains(["staging", "prod"], var.environment))
    error_message = "bucket.force_destroy is refused in staging and prod: empty the bucket by hand, on purpose."
  }
  validation {
    condition     = var.bucket.noncurrent_days >= 1 && var.bucket.incomplete_upload_days >= 1 && coalesce(var.bucket.expire_days, 1) >= 1
    error_message = "bucket.noncurrent_days, incomplete_upload_days and expire_days must be 1 or more."
  }
  validation {
    condition     = alltrue([for prefix, days in var.bucket.expire_prefixes : can(regex("^[^/].*/$", prefix)) && days >= 1])
    error_message = "bucket.expire_prefixes must map prefixes that end in '/', as inbox/, to 1 day or more."
  }
  validation {
    condition     = coalesce(var.bucket.infrequent_access_days, 30) >= 30
    error_message = "bucket.infrequent_access_days must be 30 or more: S3 does not move younger objects to STANDARD_IA."
  }
  validation {
    condition     = !(var.bucket.access_logs.create && var.bucket.access_logs.bucket != null)
    error_message = "bucket.access_logs.create and access_logs.bucket exclude each other: set one."
  }
  validation {
    condition     = alltrue([for e in var.bucket.events : contains(keys(var.queues), e.queue)])
    error_message = "bucket.events.*.queue must name a queue that stands in `queues`."
  }
  validation {
    condition     = alltrue([for o in var.bucket.cors_origins : can(regex("^https://[^*]+$", o))])
    error_message = "bucket.cors_origins must be https:// origins without wildcards."
  }
}

variable "replication" {
  description = "A copy of the bucket in `region`, for disasters. S3 never replicates the deletion of a version, so a copy is kept for `expire_days` and no longer: this is the copy's erasure lag and must be said to whoever asks for erasure."
  type = object({
    create      = optional(bool, false)
    region      = optional(string)
    kms_key_arn = optional(string)
    expire_days = optional(number, 90)
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.replication.create || (var.bucket.create && var.bucket.versioning)
    error_message = "replication.create needs bucket.create and bucket.versioning: S3 replicates versions only."
  }
  validation {
    condition     = !var.replication.create || (var.replication.region != null && var.replication.region != var.region)
    error_message = "replication.region must be named and be another than region."
  }
  validation {
    condition     = !var.replication.create || var.replication.kms_key_arn != null || (!var.kms.create && var.kms.key_arn == null)
    error_message = "replication of a bucket under a KMS key needs replication.kms_key_arn, a key in the replica's region."
  }
  validation {
    condition     = var.replication.expire_days >= 1
    error_message = "replication.expire_days must be 1 or more."
  }
}

################################################################################
# Queues
################################################################################

variable "queues" {
  description = "Standard queues by name, each with a dead-letter queue that only it may use. `visibility_seconds`: how long a received message is hidden. `max_receives`: receives before it is set aside. `max_age_alarm_seconds`: age of the oldest message that raises the alarm."
  type = map(object({
    visibility_seconds    = optional(number, 60)
    retention_seconds     = optional(number, 1209600)
    max_receives          = optional(number, 10)
    max_age_alarm_seconds = optional(number, 900)
  }))
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for name in keys(var.queues) : can(regex("^[a-z][a-z0-9-]{0,29}$", name))])
    error_message = "a queue's name must be 1 to 30 characters of a-z, 0-9 and '-', beginning with a letter."
  }
  validation {
    condition     = alltrue([for q in var.queues : q.visibility_seconds >= 0 && q.visibility_seconds <= 43200])
    error_message = "queues.*.visibility_seconds must be 0 to 43200 (12 hours)."
  }
  validation {
    condition     = alltrue([for q in var.queues : q.retention_seconds >= 60 && q.retention_seconds <= 1209600])
    error_message = "queues.*.retention_seconds must be 60 to 1209600 (14 days)."
  }
  validation {
    condition     = alltrue([for q in var.queues : q.max_receives >= 1 && q.max_receives <= 1000])
    error_message = "queues.*.max_receives must be 1 to 1000."
  }
}

################################################################################
# Database and cache
################################################################################

variable "database" {
  description = <<-EOT
    PostgreSQL: `engine` postgres (RDS) or aurora-postgresql (Aurora Serverless v2). TLS is forced, storage encrypted, and the master password made, kept and
    rotated by AWS in Secrets Manager: it is in no state. `storage_gb` grows by itself to `max_storage_gb`. `replicas` are readers (Aurora alone).
    `replicate_backups_to`: a region that gets the automated backups (RDS), under `backups_kms_key_arn`, a key there. `log_days`: days that the server's log is kept.
  EOT
  type = object({
    create                = optional(bool, false)
    engine                = optional(string, "postgres")
    engine_version        = optional(string, "17")
    instance_class        = optional(string, "db.t4g.micro")
    name                  = optional(string)
    master_username       = optional(string, "master")
    storage_gb            = optional(number, 20)
    max_storage_gb        = optional(number, 100)
    min_capacity          = optional(number, 0.5)
    max_capacity          = optional(number, 4)
    multi_az              = optional(bool, false)
    replicas              = optional(number, 0)
    backup_days           = optional(number, 7)
    replicate_backups_to  = optional(string)
    backups_kms_key_arn   = optional(string)
    iam_auth              = optional(bool, true)
    performance_insights  = optional(bool, true)
    monitoring_seconds    = optional(number, 0)
    apply_immediately     = optional(bool, false)
    slow_statement_millis = optional(number, 1000)
    log_days              = optional(number, 30)
  })
  default  = {}
  nullable = false
  validation {
    condition     = contains(["postgres", "aurora-postgresql"], var.database.engine)
    error_message = "database.engine must be postgres or aurora-postgresql."
  }
  validation {
    condition     = !var.database.create || (var.network.vpc_id != null && length(var.network.private_subnet_ids) >= 2)
    error_message = "database.create needs network.vpc_id and at least two network.private_subnet_ids, in different zones."
  }
  validation {
    condition     = can(regex("^[0-9]+(\\.[0-9]+)?$", var.database.engine_version)) && tonumber(split(".", var.database.engine_version)[0]) >= 15
    error_message = "database.engine_version must be a PostgreSQL version of 15 or later, as \"17\" or \"17.5\"."
  }
  validation {
    condition     = var.database.max_storage_gb >= var.database.storage_gb && var.database.storage_gb >= 20
    error_message = "database.storage_gb must be 20 or more, and max_storage_gb not below it."
  }
  validation {
    condition     = var.database.max_capacity >= var.database.min_capacity && var.database.min_capacity >= 0
    error_message = "database.min_capacity must be 0 (pauses when idle) or more, and max_capacity not below it (Aurora capacity units)."
  }
  validation {
    condition     = !(var.database.create && var.environment == "prod") || (var.database.backup_days >= 7 && (var.database.multi_az || var.database.engine != "postgres"))
    error_message = "prod's database needs backup_days of 7 or more, and multi_az with engine postgres."
  }
  validation {
    condition     = var.database.replicas >= 0 && var.database.replicas <= 15 && (var.database.replicas == 0 || var.database.engine == "aurora-postgresql")
    error_message = "database.replicas must be 0 to 15, and needs engine aurora-postgresql: RDS makes no read replica of a database whose master password AWS manages."
  }
  validation {
    condition     = contains([0, 1, 5, 10, 15, 30, 60], var.database.monitoring_seconds)
    error_message = "database.monitoring_seconds must be 0 (off), 1, 5, 10, 15, 30 or 60."
  }
  validation {
    condition     = var.database.replicate_backups_to == null || (var.database.engine == "postgres" && var.database.replicate_backups_to != var.region)
    error_message = "database.replicate_backups_to is for engine postgres and must be another region; copy Aurora's backups by backup.copy_to_region."
  }
  validation {
    condition     = var.database.replicate_backups_to == null || var.database.backups_kms_key_arn != null || (!var.kms.create && var.kms.key_arn == null)
    error_message = "database.replicate_backups_to of a database under a KMS key needs database.backups_kms_key_arn, a key in that region."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.database.log_days)
    error_message = "database.log_days must be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
  validation {
    condition     = !contains(["rdsadmin", "admin", "postgres"], var.database.master_username)
    error_message = "database.master_username must not be a name that RDS reserves (rdsadmin, admin, postgres)."
  }
}

variable "cache" {
  description = "ElastiCache for Valkey: encrypted, TLS only, log-in by IAM as the user named like the service (no password anywhere). `replicas` of 1 or more give automatic failover."
  type = object({
    create         = optional(bool, false)
    node_type      = optional(string, "cache.t4g.micro")
    engine_version = optional(string, "8.0")
    replicas       = optional(number, 0)
    snapshot_days  = optional(number, 0)
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.cache.create || (var.network.vpc_id != null && length(var.network.private_subnet_ids) >= 1)
    error_message = "cache.create needs network.vpc_id and network.private_subnet_ids."
  }
  validation {
    condition     = var.cache.replicas >= 0 && var.cache.replicas <= 5
    error_message = "cache.replicas must be 0 to 5."
  }
  validation {
    condition     = !(var.cache.create && var.environment == "prod") || var.cache.replicas >= 1
    error_message = "prod's cache needs replicas of 1 or more: with none there is nothing to fail over to."
  }
}
