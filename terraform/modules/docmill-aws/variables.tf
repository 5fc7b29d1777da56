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
}

variable "database_ca_path" {
  description = "Path inside the pods of the CA bundle for RDS, which the chart mounts."
  type        = string
  default     = "/etc/docmill/ca/rds.pem"
  nullable    = false
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

variable "upload_origins" {
  description = "https:// origins whose pages upload straight to the bucket."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "replica_region" {
  description = "Region that gets a copy of the bucket; null for none."
  type        = string
  default     = null
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


variable "replica_kms_key_arn" {
  description = "Key in `replica_region` for the copy; needed where `kms` is used."
  type        = string
  default     = null
}

variable "kms" {
  description = "A customer-managed key; null takes the environment's choice (prod makes one)."
  type = object({
    create  = optional(bool, false)
    key_arn = optional(string)
  })
  default = null
}

variable "alarm_topic_arns" {
  description = "SNS topics told of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "budget_emails" {
  description = "Who is told when the service's monthly budget runs out; empty for no budget."
  type        = list(string)
  default     = []
  nullable    = false
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
