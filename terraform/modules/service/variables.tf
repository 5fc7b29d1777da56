################################################################################
# The service
################################################################################

variable "create" {
  description = "Whether to create anything at all."
  type        = bool
  default     = true
  nullable    = false
}

variable "service_name" {
  description = "Name of the service; with the environment it prefixes every resource, as `docmill-dev`."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,17}[a-z0-9]$", var.service_name))
    error_message = "service_name must be 3 to 19 characters of a-z, 0-9 and '-', begin with a letter and not end in '-': bucket names, 63 at most, are made of it."
  }
}

variable "environment" {
  description = "Environment: dev, qa, staging (= preprod) or prod."
  type        = string
  nullable    = false
  validation {
    condition     = contains(["dev", "qa", "staging", "prod"], var.environment)
    error_message = "environment must be dev, qa, staging or prod."
  }
}

variable "region" {
  description = "AWS region of everything regional; null takes the provider's."
  type        = string
  default     = null
  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-central-1, or null for the provider's."
  }
}

variable "tags" {
  description = "Tags for every resource, over the module's own (service, environment, managed-by)."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for k, v in var.tags : length(k) <= 128 && length(v) <= 256 && !startswith(lower(k), "aws:")])
    error_message = "tags' keys must be 128 characters at most and not begin with aws:, which AWS reserves; their values 256 at most."
  }
}

variable "deletion_protection" {
  description = "Whether databases, load balancers, buckets and queues refuse to be deleted; null: in staging and prod. To remove one, apply with false first."
  type        = bool
  default     = null
}

variable "permissions_boundary_arn" {
  description = "ARN of the policy that bounds every role made here; null for none."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy (arn:aws:iam::ACCOUNT:policy/NAME), or null."
  }
}

variable "kms" {
  description = "A customer-managed key for bucket, queues, logs, secrets, databases and backups: `create` one, or name one by `key_arn`. Neither: the services' own encryption (SSE-S3, SSE-SQS, AWS-managed keys)."
  type = object({
    create  = optional(bool, false)
    key_arn = optional(string)
  })
  default  = {}
  nullable = false
  validation {
    condition     = !(var.kms.create && var.kms.key_arn != null)
    error_message = "kms.create and kms.key_arn exclude each other: set one."
  }
  validation {
    condition     = var.kms.key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms.key_arn))
    error_message = "kms.key_arn must be a key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID); an alias does not work in policies."
  }
}

################################################################################
# Where it runs
################################################################################

variable "network" {
  description = "VPC, its private subnets, and the security groups of those who may talk to database, cache and load balancer (as the cluster's), by a name of your choice."
  type = object({
    vpc_id                 = optional(string)
    private_subnet_ids     = optional(list(string), [])
    client_security_groups = optional(map(string), {})
  })
  default  = {}
  nullable = false
  validation {
    condition     = (var.network.vpc_id == null || can(regex("^vpc-", var.network.vpc_id))) && alltrue([for s in var.network.private_subnet_ids : can(regex("^subnet-", s))]) && alltrue([for g in values(var.network.client_security_groups) : can(regex("^sg-", g))])
    error_message = "network must hold ids: vpc_id as vpc-…, private_subnet_ids as subnet-…, client_security_groups as sg-… by name."
  }
}

variable "workload_identity" {
  description = "How pods become a role: `pod_identity` (needs `cluster_name`), `irsa` (needs `oidc_provider_arn`) or `none`; `namespace` is the pods'."
  type = object({
    kind              = optional(string, "none")
    cluster_name      = optional(string)
    oidc_provider_arn = optional(string)
    namespace         = optional(string)
  })
  default  = {}
  nullable = false
  validation {
    condition     = contains(["none", "pod_identity", "irsa"], var.workload_identity.kind)
    error_message = "workload_identity.kind must be pod_identity, irsa or none."
  }
  validation {
    condition     = var.workload_identity.kind != "pod_identity" || var.workload_identity.cluster_name != null
    error_message = "workload_identity.kind = pod_identity needs cluster_name, the EKS cluster's name."
  }
  validation {
    condition     = var.workload_identity.kind != "irsa" || can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/", var.workload_identity.oidc_provider_arn))
    error_message = "workload_identity.kind = irsa needs oidc_provider_arn, the ARN of the cluster's OIDC provider in IAM."
  }
  validation {
    condition     = var.workload_identity.kind == "none" || can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.workload_identity.namespace))
    error_message = "workload_identity.namespace must be the Kubernetes namespace that the pods run in: a trust policy is written for it alone."
  }
}

variable "components" {
  description = <<-EOT
    The service's programs by name, each with a role of its own and exactly these rights:
    `bucket` none, inspect (its configuration), read, or write (objects and the erasing of their versions); `send`, `receive`, `inspect`: names from `queues`;
    `keeps`: prefixes under which it may read, but not write or erase, though `bucket` is write; `secrets`: names from `secrets`; `database_users`: database roles it may log in as by IAM; `cache`: may connect to the cache.
  EOT
  type = map(object({
    service_account = optional(string)
    bucket          = optional(string, "none")
    keeps           = optional(set(string), [])
    send            = optional(set(string), [])
    receive         = optional(set(string), [])
    inspect         = optional(set(string), [])
    secrets         = optional(set(string), [])
    database_users  = optional(set(string), [])
    cache           = optional(bool, false)
  }))
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for name in keys(var.components) : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "a component's name must be 1 to 20 characters of a-z, 0-9 and '-', beginning with a letter."
  }
  validation {
    condition     = alltrue([for c in var.components : contains(["none", "inspect", "read", "write"], c.bucket)])
    error_message = "components.*.bucket must be none, inspect, read or write."
  }
  validation {
    condition     = alltrue([for c in var.components : length(c.keeps) == 0 || (c.bucket == "write" && alltrue([for k in c.keeps : endswith(k, "/")]))])
    error_message = "components.*.keeps must be prefixes that end in '/', of a component whose bucket is write: others write nothing anyway."
  }
  validation {
    condition     = alltrue([for c in var.components : c.bucket == "none" || var.bucket.create])
    error_message = "a component has rights on the bucket, but bucket.create is false: set it, or the component's bucket to none."
  }
  validation {
    condition     = alltrue([for c in var.components : length(setsubtract(setunion(c.send, c.receive, c.inspect), keys(var.queues))) == 0])
    error_message = "components.*.send, receive and inspect must name queues that stand in `queues`."
  }
  validation {
    condition     = alltrue([for c in var.components : length(setsubtract(c.secrets, keys(var.secrets))) == 0])
    error_message = "components.*.secrets must name secrets that stand in `secrets`."
  }
  validation {
    condition     = alltrue([for c in var.components : length(c.database_users) == 0 || (var.database.create && var.database.iam_auth)])
    error_message = "components.*.database_users needs database.create and database.iam_auth."
  }
  validation {
    condition     = alltrue([for c in var.components : !c.cache || var.cache.create])
    error_message = "components.*.cache needs cache.create."
  }
}
