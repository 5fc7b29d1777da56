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
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region's code such as eu-central-1."
  }
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

variable "private_subnet_ids" {
  description = "The network layer's private subnets."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(var.private_subnet_ids) >= 2
    error_message = "private_subnet_ids must be two or more, in different zones: EKS requires it."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version, as \"1.34\"; one in standard support, because extended support costs six times as much."
  type        = string
  default     = "1.34"
  nullable    = false
  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version))
    error_message = "kubernetes_version must be MAJOR.MINOR, as \"1.34\"."
  }
}

variable "public_access_cidrs" {
  description = "Who may reach the Kubernetes API from the internet; empty: the VPC alone."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for c in var.public_access_cidrs : can(cidrhost(c, 0)) && !endswith(c, "/0")])
    error_message = "public_access_cidrs must be CIDR blocks, and not the whole internet."
  }
}

variable "admin_role_arns" {
  description = "IAM roles that administer the cluster, by a name of your choice."
  type        = map(string)
  nullable    = false
  validation {
    condition     = length(var.admin_role_arns) > 0
    error_message = "admin_role_arns must name at least one role: without one nobody can enter the cluster."
  }
}

variable "log_days" {
  description = "Days that the control plane's audit and authenticator logs are kept."
  type        = number
  default     = 7
  nullable    = false
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_days)
    error_message = "log_days must be one that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
