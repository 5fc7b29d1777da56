################################################################################
# Load balancer and DNS
################################################################################

variable "load_balancer" {
  description = "An ALB with one target group a route, for TargetGroupBindings; routes by path, in order of `priority`. For clusters without a gateway of their own. `internal` keeps it in the VPC; a public one needs `public_subnet_ids`."
  type = object({
    create            = optional(bool, false)
    internal          = optional(bool, true)
    certificate_arn   = optional(string)
    public_subnet_ids = optional(list(string), [])
    ingress_cidrs     = optional(list(string), [])
    access_log_bucket = optional(string)
    web_acl_arn       = optional(string)
    idle_seconds      = optional(number, 900)
    routes = optional(map(object({
      priority    = number
      paths       = list(string)
      port        = optional(number, 8080)
      health_path = optional(string, "/readyz")
    })), {})
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.load_balancer.create || (var.network.vpc_id != null && length(var.load_balancer.internal ? var.network.private_subnet_ids : var.load_balancer.public_subnet_ids) >= 2)
    error_message = "load_balancer.create needs network.vpc_id and two subnets: network.private_subnet_ids, or load_balancer.public_subnet_ids when internal is false."
  }
  validation {
    condition     = !var.load_balancer.create || can(regex("^arn:[^:]+:acm:", var.load_balancer.certificate_arn))
    error_message = "load_balancer.certificate_arn must be the ARN of a certificate in ACM: the load balancer serves TLS only."
  }
  validation {
    condition     = !var.load_balancer.create || (length(var.load_balancer.routes) > 0 && length(var.load_balancer.ingress_cidrs) > 0)
    error_message = "load_balancer needs at least one of routes and one of ingress_cidrs."
  }
  validation {
    condition     = length(distinct([for r in var.load_balancer.routes : r.priority])) == length(var.load_balancer.routes)
    error_message = "load_balancer.routes.*.priority must differ from each other."
  }
  validation {
    condition     = alltrue([for c in var.load_balancer.ingress_cidrs : can(cidrhost(c, 0))])
    error_message = "load_balancer.ingress_cidrs must be CIDR blocks such as 10.0.0.0/8."
  }
}

variable "failover" {
  description = "Route 53 failover for `name` in `zone_id`: the primary answers while its health check (HTTPS on `health_path`) passes, else the secondary. Both are DNS names; an alias is made where `*_zone_id` (a load balancer's) is given."
  type = object({
    create            = optional(bool, false)
    zone_id           = optional(string)
    name              = optional(string)
    primary           = optional(string)
    primary_zone_id   = optional(string)
    secondary         = optional(string)
    secondary_zone_id = optional(string)
    health_path       = optional(string, "/readyz")
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.failover.create || alltrue([for v in [var.failover.zone_id, var.failover.name, var.failover.primary, var.failover.secondary] : v != null])
    error_message = "failover.create needs zone_id, name, primary and secondary."
  }
}

################################################################################
# Secrets, registry
################################################################################

variable "secrets" {
  description = "Secrets Manager secrets by name, made empty: their values never pass through Terraform's state (modules/secret-value writes one by a write-only argument). `rotation_lambda_arn` rotates it each `rotation_days`."
  type = map(object({
    description         = string
    recovery_days       = optional(number, 7)
    rotation_lambda_arn = optional(string)
    rotation_days       = optional(number, 30)
  }))
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for s in var.secrets : s.recovery_days >= 7 && s.recovery_days <= 30])
    error_message = "secrets.*.recovery_days must be 7 to 30."
  }
  validation {
    condition     = alltrue([for s in var.secrets : s.rotation_days >= 1 && s.rotation_days <= 365])
    error_message = "secrets.*.rotation_days must be 1 to 365."
  }
}

variable "repositories" {
  description = "ECR repositories, named SERVICE/NAME: tags are immutable, images scanned when pushed, and all but the newest `keep` removed."
  type = map(object({
    keep = optional(number, 30)
  }))
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for r in var.repositories : r.keep >= 1])
    error_message = "repositories.*.keep must be 1 or more."
  }
}

################################################################################
# Watching, keeping, paying
################################################################################

variable "logs" {
  description = "A CloudWatch log group /ENV/SERVICE, kept for `retention_days`."
  type = object({
    create         = optional(bool, false)
    retention_days = optional(number, 30)
  })
  default  = {}
  nullable = false
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.logs.retention_days)
    error_message = "logs.retention_days must be one that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alarms" {
  description = "CloudWatch alarms on what was made here: age of the oldest message, dead letters, the database's CPU and storage. `topic_arns`: SNS topics told of an alarm and of its end."
  type = object({
    create     = optional(bool, false)
    topic_arns = optional(list(string), [])
  })
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for t in var.alarms.topic_arns : can(regex("^arn:[^:]+:sns:", t))])
    error_message = "alarms.topic_arns must be ARNs of SNS topics."
  }
}

variable "backup" {
  description = "AWS Backup of bucket and database each day at `schedule` (UTC), kept `retention_days` and copied to `copy_to_region`. What was erased lives on in backups for that long: the erasure lag."
  type = object({
    create           = optional(bool, false)
    schedule         = optional(string, "cron(0 3 * * ? *)")
    retention_days   = optional(number, 35)
    copy_to_region   = optional(string)
    copy_kms_key_arn = optional(string)
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.backup.create || var.bucket.create || var.database.create
    error_message = "backup.create needs bucket.create or database.create: there is nothing else to back up."
  }
  validation {
    condition     = var.backup.retention_days >= 1
    error_message = "backup.retention_days must be 1 or more."
  }
  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.backup.schedule))
    error_message = "backup.schedule must be cron(…) with six fields or rate(…)."
  }
  validation {
    condition     = var.backup.copy_to_region == null || var.backup.copy_to_region != var.region
    error_message = "backup.copy_to_region must be another region than region."
  }
}

variable "budget" {
  description = "A monthly budget over what carries the service's tag, telling `emails` at 80 % spent and at 100 % forecast. The tag `service` must be activated as a cost allocation tag in the paying account."
  type = object({
    create      = optional(bool, false)
    monthly_usd = optional(number, 50)
    emails      = optional(list(string), [])
  })
  default  = {}
  nullable = false
  validation {
    condition     = !var.budget.create || length(var.budget.emails) > 0
    error_message = "budget.create needs emails: a budget that tells nobody guards nothing."
  }
  validation {
    condition     = var.budget.monthly_usd > 0
    error_message = "budget.monthly_usd must be above 0."
  }
}
