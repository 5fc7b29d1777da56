variable "region" {
  description = "AWS region of the secret; null takes the provider's."
  type        = string
  default     = null
  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-central-1, or null for the provider's."
  }
}

variable "secret_id" {
  description = "ARN or name of the Secrets Manager secret."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^(arn:[^:]+:secretsmanager:.+|[A-Za-z0-9/_+=.@-]{1,512})$", var.secret_id))
    error_message = "secret_id must be a secret's ARN or name in Secrets Manager."
  }
}

variable "value" {
  description = "The secret's value: ephemeral and written by a write-only argument, so it is in no plan and no state."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true
  validation {
    condition     = length(var.value) > 0
    error_message = "value must not be empty: a secret of nothing is a mistake in what called."
  }
}

variable "value_version" {
  description = "Number to raise when the value changes: Terraform cannot see that it did."
  type        = number
  nullable    = false
  validation {
    condition     = var.value_version >= 1 && floor(var.value_version) == var.value_version
    error_message = "value_version must be a whole number of 1 or more; raise it to write the value again."
  }
}
