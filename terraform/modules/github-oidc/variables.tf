variable "create" {
  description = "Whether to create anything at all."
  type        = bool
  default     = true
  nullable    = false
}

variable "create_provider" {
  description = "Whether to make GitHub's OIDC provider; an account can have one only, so false where it exists."
  type        = bool
  default     = true
  nullable    = false
}

variable "repository" {
  description = "GitHub repository whose workflows may take the roles, as OWNER/NAME."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be OWNER/NAME, without wildcards: anyone in it could take the roles."
  }
}

variable "default_branch" {
  description = "Branch whose runs may plan, besides pull requests."
  type        = string
  default     = "main"
  nullable    = false
  validation {
    condition     = !can(regex("[*?]", var.default_branch))
    error_message = "default_branch must be one branch's name, without wildcards."
  }
}

variable "service_name" {
  description = "Service whose resources (SERVICE-ENV-…) the apply roles may manage."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,17}[a-z0-9]$", var.service_name))
    error_message = "service_name must be 3 to 19 characters of a-z, 0-9 and '-', as in modules/service."
  }
}

variable "environments" {
  description = "Environments in this account: each gets an apply role that only jobs of the GitHub environment of this name may take, for resources in `regions`."
  type = map(object({
    regions = list(string)
  }))
  nullable = false
  validation {
    condition     = alltrue([for e in keys(var.environments) : contains(["dev", "qa", "staging", "prod"], e)])
    error_message = "environments must be of dev, qa, staging and prod."
  }
  validation {
    condition     = alltrue([for e in var.environments : length(e.regions) > 0])
    error_message = "environments.*.regions must name at least one region."
  }
}

variable "state_bucket" {
  description = "Name of the bucket that keeps the states, under ENV/REGION/LAYER.tfstate."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket must be the name of an S3 bucket, not an ARN or a URL."
  }
}

variable "state_kms_key_arn" {
  description = "ARN of the key that encrypts the states; null: SSE-S3."
  type        = string
  default     = null
  validation {
    condition     = var.state_kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.state_kms_key_arn))
    error_message = "state_kms_key_arn must be a key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), or null for SSE-S3."
  }
}

variable "tags" {
  description = "Tags for provider, roles and policies."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for k, v in var.tags : length(k) <= 128 && length(v) <= 256 && !startswith(lower(k), "aws:")])
    error_message = "tags' keys must be 128 characters at most and not begin with aws:, which AWS reserves; their values 256 at most."
  }
}
