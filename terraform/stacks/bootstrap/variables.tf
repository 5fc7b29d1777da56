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
}
