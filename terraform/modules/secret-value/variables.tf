variable "region" {
  description = "AWS region of the secret; null takes the provider's."
  type        = string
  default     = null
}

variable "secret_id" {
  description = "ARN or name of the Secrets Manager secret."
  type        = string
  nullable    = false
}

variable "value" {
  description = "The secret's value: ephemeral and written by a write-only argument, so it is in no plan and no state."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true
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
