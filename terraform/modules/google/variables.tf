variable "create" {
  description = "Whether to create anything at all."
  type        = bool
  default     = true
  nullable    = false
}

variable "project" {
  description = "Google Cloud project id."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project's id (6 to 30 characters of a-z, 0-9 and '-'), not its number or title."
  }
}

variable "service_name" {
  description = "Name of the service."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,11}[a-z0-9]$", var.service_name))
    error_message = "service_name must be 3 to 13 characters of a-z, 0-9 and '-': a service account's id (SERVICE-ENV-COMPONENT) has 30 at most."
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

variable "namespace" {
  description = "Kubernetes namespace that the pods run in."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be the Kubernetes namespace that the pods run in: 1 to 63 characters of a-z, 0-9 and '-'."
  }
}

variable "components" {
  description = "The service's programs by name: the Kubernetes service account (default SERVICE-NAME) and its right on the bucket: none, read or write."
  type = map(object({
    service_account = optional(string)
    bucket          = optional(string, "none")
  }))
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for c in var.components : contains(["none", "read", "write"], c.bucket)])
    error_message = "components.*.bucket must be none, read or write."
  }
  validation {
    condition     = alltrue([for n in keys(var.components) : can(regex("^[a-z][a-z0-9-]{0,8}$", n))])
    error_message = "a component's name must be 1 to 9 characters of a-z, 0-9 and '-', beginning with a letter."
  }
  validation {
    condition     = alltrue([for c in var.components : c.bucket == "none" || var.bucket.create])
    error_message = "a component has rights on the bucket, but bucket.create is false: set it, or the component's bucket to none."
  }
}

variable "bucket" {
  description = "A private Cloud Storage bucket in `location`, versioned; overwritten and deleted versions are gone after `noncurrent_days`."
  type = object({
    create          = optional(bool, false)
    name            = optional(string)
    location        = optional(string, "EUROPE-WEST3")
    force_destroy   = optional(bool, false)
    noncurrent_days = optional(number, 7)
    kms_key         = optional(string)
    log_bucket      = optional(string)
  })
  default  = {}
  nullable = false
  validation {
    condition     = !(var.bucket.force_destroy && contains(["staging", "prod"], var.environment))
    error_message = "bucket.force_destroy is refused in staging and prod: empty the bucket by hand, on purpose."
  }
  validation {
    condition     = var.bucket.noncurrent_days >= 1
    error_message = "bucket.noncurrent_days must be 1 or more."
  }
}

variable "labels" {
  description = "Labels for the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for k, v in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", k)) && can(regex("^[a-z0-9_-]{0,63}$", v))])
    error_message = "labels' keys and values must be 63 characters at most of a-z, 0-9, '_' and '-'; a key begins with a letter."
  }
}
