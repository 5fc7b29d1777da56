variable "create" {
  description = "Whether to create anything at all."
  type        = bool
  default     = true
  nullable    = false
}

variable "bucket_name" {
  description = "Name of the bucket that keeps Terraform's states; one an account."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be a valid S3 bucket name: 3 to 63 characters of a-z, 0-9, '.' and '-'."
  }
}

variable "region" {
  description = "AWS region of the bucket; null takes the provider's."
  type        = string
  default     = null
  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-central-1, or null for the provider's."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the states; null: SSE-S3."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), or null for SSE-S3."
  }
}

variable "noncurrent_days" {
  description = "Days that a replaced state can still be brought back."
  type        = number
  default     = 90
  nullable    = false
  validation {
    condition     = var.noncurrent_days >= 30
    error_message = "noncurrent_days must be 30 or more: an old version is the only way back from a broken state."
  }
}

variable "access_log_bucket" {
  description = "Bucket that gets the access logs; null for none."
  type        = string
  default     = null
  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_log_bucket))
    error_message = "access_log_bucket must be the name of an S3 bucket, or null for no access logs."
  }
}

variable "tags" {
  description = "Tags for the bucket."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for k, v in var.tags : length(k) <= 128 && length(v) <= 256 && !startswith(lower(k), "aws:")])
    error_message = "tags' keys must be 128 characters at most and not begin with aws:, which AWS reserves; their values 256 at most."
  }
}
