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

variable "cidr" {
  description = "The VPC's IPv4 block, /16 to /20."
  type        = string
  nullable    = false
  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr must be an IPv4 block of /16 to /20, as 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, by name; two or three."
  type        = list(string)
  nullable    = false
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 3
    error_message = "zones must name two or three availability zones: databases and load balancers need two."
  }
}

variable "nat_gateways" {
  description = "NAT gateways: 1 (its zone's failure cuts all off from the internet, not from AWS by endpoints) or one a zone."
  type        = number
  default     = 1
  nullable    = false
  validation {
    condition     = var.nat_gateways == 1 || var.nat_gateways == length(var.zones)
    error_message = "nat_gateways must be 1 or the number of zones."
  }
}

variable "interface_endpoints" {
  description = "AWS services reached without NAT, as `sqs`; each costs by the hour and zone (docs/cost.md says from when on it pays)."
  type        = set(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for e in var.interface_endpoints : can(regex("^[a-z0-9.-]+$", e)) && !startswith(e, "com.amazonaws")])
    error_message = "interface_endpoints must be services' short names, as sqs or ecr.api, without com.amazonaws.REGION."
  }
}

variable "flow_log_days" {
  description = "Days that rejected connections are logged for; 0 for no flow log."
  type        = number
  default     = 7
  nullable    = false
  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.flow_log_days)
    error_message = "flow_log_days must be 0 (no flow log), or one that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365."
  }
}
