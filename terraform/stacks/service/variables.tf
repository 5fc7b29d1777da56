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

variable "vpc_id" {
  description = "The network layer's VPC."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^vpc-", var.vpc_id))
    error_message = "vpc_id must be the network layer's output vpc_id, as vpc-0123456789abcdef0."
  }
}

variable "private_subnet_ids" {
  description = "The network layer's private subnets."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(var.private_subnet_ids) >= 2 && alltrue([for s in var.private_subnet_ids : can(regex("^subnet-", s))])
    error_message = "private_subnet_ids must be two or more of the network layer's, in different zones."
  }
}

variable "cluster_name" {
  description = "The cluster layer's EKS cluster."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$", var.cluster_name))
    error_message = "cluster_name must be the cluster layer's output cluster_name, not an ARN."
  }
}

variable "cluster_security_group_id" {
  description = "The cluster layer's security group of nodes and pods."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^sg-", var.cluster_security_group_id))
    error_message = "cluster_security_group_id must be the cluster layer's output of that name, as sg-0123456789abcdef0."
  }
}

variable "permissions_boundary_arn" {
  description = "The bootstrap layer's boundary; the apply role can make no role without it."
  type        = string
  default     = null
}

variable "inbox_days" {
  description = "Days until an object dropped under inbox/ is gone; null: never."
  type        = number
  default     = null
}

variable "replica_region" {
  description = "Region that gets a copy of the bucket; null for none."
  type        = string
  default     = null
}

variable "replica_kms_key_arn" {
  description = "Key for the copy, in its region."
  type        = string
  default     = null
}

variable "alarm_topic_arns" {
  description = "SNS topics told of alarms."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "budget_emails" {
  description = "Who is told when the monthly budget runs out; empty for no budget."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "database" {
  description = "What departs from the environment's database, as `{ instance_class = \"db.m7g.xlarge\" }`; see modules/docmill-aws."
  type = object({
    engine         = optional(string)
    engine_version = optional(string)
    instance_class = optional(string)
    storage_gb     = optional(number)
    max_storage_gb = optional(number)
    replicas       = optional(number)
  })
  default  = {}
  nullable = false
}
