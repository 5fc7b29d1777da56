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
}

variable "flow_log_days" {
  description = "Days that rejected connections are logged for; 0 for no flow log."
  type        = number
  default     = 7
  nullable    = false
}
