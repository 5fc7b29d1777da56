# A team's service of one program: a bucket, a queue, and a role that its pods take by EKS Pod Identity.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { owner = "team-invoices" }
  }
}

module "service" {
  source = "../../modules/service"

  service_name = "invoices"
  environment  = "dev"
  region       = "eu-central-1"

  bucket = { create = true }
  queues = { work = {} }

  workload_identity = {
    kind         = "pod_identity"
    cluster_name = "platform-dev"
    namespace    = "invoices"
  }
  components = {
    app = { bucket = "write", send = ["work"], receive = ["work"] }
  }
}

output "service" {
  description = "What the team's chart is told: bucket, queues, and the role of each component."
  value = {
    bucket = module.service.bucket
    queues = module.service.queues
    roles  = module.service.roles
  }
}
