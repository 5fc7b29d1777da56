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
  description = "AWS region."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags for everything, as owner and cost centre."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for k, v in var.tags : length(k) <= 128 && length(v) <= 256 && !startswith(lower(k), "aws:")])
    error_message = "tags' keys must be 128 characters at most and not begin with aws:, which AWS reserves; their values 256 at most."
  }
}

variable "state_bucket" {
  description = "Name of the bucket that this account's states are kept in."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "GitHub repository whose workflows plan and apply, as OWNER/NAME."
  type        = string
  nullable    = false
}

variable "service_name" {
  description = "Service that the apply roles manage."
  type        = string
  default     = "docmill"
  nullable    = false
}

variable "regions" {
  description = "Regions that the apply role may work in; default: this one."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for r in var.regions : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", r))])
    error_message = "regions must be regions' codes such as eu-central-1; empty for this one."
  }
}
