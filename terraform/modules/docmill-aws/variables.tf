variable "create" {
  description = "Whether to create anything at all."
  type        = bool
  default     = true
  nullable    = false
}

variable "name" {
  description = "Name of the service: the prefix of all resources, and the Helm release's name, from which the chart names its service accounts (NAME-api, NAME-worker, NAME-provision)."
  type        = string
  default     = "docmill"
  nullable    = false
}

variable "environment" {
  description = "Environment: dev, qa, staging (= preprod) or prod; it decides the sizes."
  type        = string
  nullable    = false
  validation {
    condition     = contains(["dev", "qa", "staging", "prod"], var.environment)
    error_message = "environment must be dev, qa, staging or prod."
  }
}

variable "region" {
  description = "AWS region; docmill's configuration names it."
  type        = string
  nullable    = false
}

variable "namespace" {
  description = "Kubernetes namespace of the release."
  type        = string
  default     = "docmill"
  nullable    = false
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be the release's Kubernetes namespace: 1 to 63 characters of a-z, 0-9 and '-'."
  }
}

variable "cluster" {
  description = "The EKS cluster: its `name` (Pod Identity), or its `oidc_provider_arn` (IRSA)."
  type = object({
    name              = optional(string)
    oidc_provider_arn = optional(string)
  })
  nullable = false
  validation {
    condition     = (var.cluster.name == null) != (var.cluster.oidc_provider_arn == null)
    error_message = "cluster needs either name (for Pod Identity) or oidc_provider_arn (for IRSA), not both."
  }
}

variable "network" {
  description = "VPC, two or more private subnets, and the security groups of the cluster's nodes or pods by name."
  type = object({
    vpc_id                 = string
    private_subnet_ids     = list(string)
    client_security_groups = map(string)
  })
  nullable = false
  validation {
    condition     = length(var.network.client_security_groups) > 0
    error_message = "network.client_security_groups must name at least one group: nobody else reaches the database."
  }
}

variable "database" {
  description = "What departs from the environment's database; see `database` of modules/service."
  type = object({
    engine               = optional(string)
    engine_version       = optional(string)
    instance_class       = optional(string)
    storage_gb           = optional(number)
    max_storage_gb       = optional(number)
    min_capacity         = optional(number)
    max_capacity         = optional(number)
    multi_az             = optional(bool)
    replicas             = optional(number)
    backup_days          = optional(number)
    replicate_backups_to = optional(string)
    backups_kms_key_arn  = optional(string)
    iam_auth             = optional(bool)
  })
  default  = {}
  nullable = false
  validation {
    condition     = contains(["postgres", "aurora-postgresql"], coalesce(var.database.engine, "postgres"))
    error_message = "database.engine must be postgres or aurora-postgresql; leave it out for the environment's."
  }
}

variable "database_ca_path" {
  description = "Path inside the pods of the CA bundle for RDS, which the chart mounts."
  type        = string
  default     = "/etc/docmill/ca/rds.pem"
  nullable    = false
  validation {
    condition     = startswith(var.database_ca_path, "/")
    error_message = "database_ca_path must be an absolute path inside the pods, as /etc/docmill/ca/rds.pem."
  }
}

variable "job_seconds" {
  description = "How long a lane's message stays hidden after it was received. Short: docmill acknowledges as soon as its claim has committed, and the catalog's lease guards the work."
  type        = number
  default     = 60
  nullable    = false
  validation {
    condition     = var.job_seconds >= 10 && var.job_seconds <= 43200
    error_message = "job_seconds must be 10 to 43200."
  }
}

variable "inbox_days" {
  description = "Days until an object dropped under inbox/ is gone (docmill copies it, and erases only its own); null: never."
  type        = number
  default     = null
  validation {
    condition     = coalesce(var.inbox_days, 7) >= 7
    error_message = "inbox_days must be 7 or more (with the 7 days that an erased version stays: as long as SQS keeps an announcement), or null for never."
  }
}

variable "upload_origins" {
  description = "https:// origins whose pages upload straight to the bucket."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for o in var.upload_origins : can(regex("^https://[^*]+$", o))])
    error_message = "upload_origins must be https:// origins without wildcards."
  }
}

variable "replica_region" {
  description = "Region that gets a copy of the bucket; null for none."
  type        = string
  default     = null
  validation {
    condition     = var.replica_region == null || (can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.replica_region)) && var.replica_region != var.region)
    error_message = "replica_region must be another region's code than region, or null for no copy."
  }
}

variable "replica_kms_key_arn" {
  description = "Key in `replica_region` for the copy; needed where `kms` is used."
  type        = string
  default     = null
  validation {
    condition     = var.replica_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.replica_kms_key_arn))
    error_message = "replica_kms_key_arn must be a key's ARN in replica_region (arn:aws:kms:REGION:ACCOUNT:key/ID), or null."
  }
}

variable "kms" {
  description = "A customer-managed key; null takes the environment's choice (prod makes one)."
  type = object({
    create  = optional(bool, false)
    key_arn = optional(string)
  })
  default = null
  validation {
    condition     = var.kms == null || try(!(var.kms.create && var.kms.key_arn != null), true)
    error_message = "kms.create and kms.key_arn exclude each other: set one, or kms = null for the environment's choice."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics told of alarms."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for t in var.alarm_topic_arns : can(regex("^arn:[^:]+:sns:", t))])
    error_message = "alarm_topic_arns must be ARNs of SNS topics."
  }
}

variable "budget_emails" {
  description = "Who is told when the service's monthly budget runs out; empty for no budget."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for e in var.budget_emails : can(regex("^[^@ ]+@[^@ ]+$", e))])
    error_message = "budget_emails must be mail addresses."
  }
}

variable "load_balancer" {
  description = "An ALB in place of the cluster's gateway: certificate and who may call."
  type = object({
    create            = optional(bool, false)
    certificate_arn   = optional(string)
    ingress_cidrs     = optional(list(string), [])
    internal          = optional(bool, true)
    public_subnet_ids = optional(list(string), [])
    access_log_bucket = optional(string)
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.load_balancer.create || (var.load_balancer.certificate_arn != null && length(var.load_balancer.ingress_cidrs) > 0)
    error_message = "load_balancer.create needs certificate_arn and ingress_cidrs: it serves TLS only, and only to those named."
  }
}

variable "deletion_protection" {
  description = "Whether database, bucket and queues refuse to be deleted; null: in staging and prod."
  type        = bool
  default     = null
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds every role made here (modules/github-oidc has one); null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for every resource."
  type        = map(string)
  default     = {}
  nullable    = false
}
