# Every policy that the modules write, in one plan: scripts/terraform-test has it judged by judge.mjs.

terraform {
  required_version = ">= 1.11"
  required_providers {
    # Mocked only if it is named here.
    # tflint-ignore: terraform_unused_required_providers
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

locals {
  network = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"], client_security_groups = { cluster = "sg-1" } }
  key     = "arn:aws:kms:eu-west-1:123456789012:key/22222222-2222-3333-4444-555555555555"
}

# IRSA, a key of its own, a replica: protected.
module "prod" {
  source = "../../modules/docmill-aws"

  environment         = "prod"
  region              = "eu-central-1"
  cluster             = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/PROD" }
  network             = local.network
  replica_region      = "eu-west-1"
  replica_kms_key_arn = local.key
}

# Pod Identity, the services' own encryption: not protected.
module "dev" {
  source = "../../modules/docmill-aws"

  environment = "dev"
  region      = "eu-central-1"
  cluster     = { name = "platform-dev" }
  network     = local.network
}

# What docmill does not use: secrets, cache, reading only.
module "other" {
  source = "../../modules/service"

  service_name      = "orders"
  environment       = "dev"
  region            = "eu-central-1"
  network           = local.network
  bucket            = { create = true }
  cache             = { create = true }
  secrets           = { token = { description = "a token" }, other = { description = "another's" } }
  workload_identity = { kind = "pod_identity", cluster_name = "platform-dev", namespace = "orders" }
  components        = { app = { bucket = "read", secrets = ["token"], cache = true } }
}

module "github" {
  source = "../../modules/github-oidc"

  repository   = "example/docmill"
  service_name = "docmill"
  state_bucket = "example-states"
  environments = { dev = { regions = ["eu-central-1"] }, prod = { regions = ["eu-central-1"] } }
}

module "state" {
  source = "../../modules/state"

  bucket_name = "example-states"
}
