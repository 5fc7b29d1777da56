# Every part of modules/service, as prod of a service of three programs would have it. Ids and ARNs of what others own
# (VPC, certificate, zone, topic) are examples.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 2.38"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { owner = "team-invoices", cost-center = "4711" }
  }
}

provider "kubernetes" {
  config_path = "~/.kube/config"
}

module "service" {
  source = "../../modules/service"

  service_name             = "invoices"
  environment              = "prod"
  region                   = "eu-central-1"
  permissions_boundary_arn = "arn:aws:iam::123456789012:policy/service-boundary"
  kms                      = { create = true }

  network = {
    vpc_id                 = "vpc-0123456789abcdef0"
    private_subnet_ids     = ["subnet-0000000000000000a", "subnet-0000000000000000b", "subnet-0000000000000000c"]
    client_security_groups = { cluster = "sg-0123456789abcdef0" }
  }

  ##############################################################################
  # Data
  ##############################################################################

  bucket = {
    create                 = true
    noncurrent_days        = 7
    infrequent_access_days = 60
    cors_origins           = ["https://invoices.example.com"]
    access_logs            = { create = true }
    events                 = { "inbox/" = { queue = "intake" } }
  }
  replication = {
    create      = true
    region      = "eu-west-1"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    expire_days = 90
  }
  queues = {
    interactive = { visibility_seconds = 30, max_age_alarm_seconds = 60 }
    bulk        = { visibility_seconds = 60, max_age_alarm_seconds = 3600 }
    intake      = {}
  }
  database = {
    create               = true
    engine               = "postgres"
    instance_class       = "db.m7g.large"
    storage_gb           = 100
    max_storage_gb       = 500
    multi_az             = true
    backup_days          = 14
    replicate_backups_to = "eu-west-1"
    backups_kms_key_arn  = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    monitoring_seconds   = 60
  }
  cache = { create = true, replicas = 1 }

  ##############################################################################
  # Who may do what
  ##############################################################################

  workload_identity = {
    kind              = "irsa"
    oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE0123456789"
    namespace         = "invoices"
  }
  components = {
    api       = { bucket = "write", send = ["interactive", "bulk"], secrets = ["signing-key"], database_users = ["invoices"], cache = true }
    worker    = { bucket = "write", send = ["interactive", "bulk"], receive = ["interactive", "bulk", "intake"], database_users = ["invoices"] }
    provision = { bucket = "inspect", inspect = ["interactive", "bulk", "intake"] }
  }
  secrets = {
    signing-key = {
      description         = "signs download links"
      rotation_lambda_arn = "arn:aws:lambda:eu-central-1:123456789012:function:rotate-signing-key"
    }
  }
  repositories = { api = {}, worker = {} }

  ##############################################################################
  # Edge
  ##############################################################################

  load_balancer = {
    create            = true
    certificate_arn   = "arn:aws:acm:eu-central-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
    ingress_cidrs     = ["10.0.0.0/8"]
    access_log_bucket = "example-alb-logs"
    web_acl_arn       = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/platform/11111111-2222-3333-4444-555555555555"
    routes = {
      api  = { priority = 10, paths = ["/v1/*"] }
      page = { priority = 20, paths = ["/", "/docs*"] }
    }
  }
  failover = {
    create    = true
    zone_id   = "Z0123456789EXAMPLE"
    name      = "invoices.example.com"
    primary   = "invoices.eu-central-1.example.com"
    secondary = "invoices.eu-west-1.example.com"
  }

  ##############################################################################
  # Watching, keeping, paying
  ##############################################################################

  logs   = { create = true, retention_days = 90 }
  alarms = { create = true, topic_arns = ["arn:aws:sns:eu-central-1:123456789012:on-call"] }
  backup = {
    create           = true
    copy_to_region   = "eu-west-1"
    copy_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }
  budget = { create = true, monthly_usd = 550, emails = ["team-invoices@example.com"] }
}

# Only where no Argo CD owns the namespace.
module "namespace" {
  source = "../../modules/namespace"

  create      = true
  name        = "invoices"
  environment = "prod"
  admins      = ["team-invoices"]
  quota       = { "requests.cpu" = "20", "requests.memory" = "40Gi", "pods" = "60" }
}

output "service" {
  description = "Everything that the module gives back."
  value       = module.service
}
