# docmill's ground in one environment, planned: what the bucket and the queues are made with is what docmill has to be content with.

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

module "docmill" {
  source = "../../modules/docmill-aws"

  environment = "dev"
  region      = "eu-central-1"
  cluster     = { name = "platform-dev" }
  network     = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"], client_security_groups = { cluster = "sg-1" } }
}

output "config" {
  description = "The configuration, as the chart is told."
  value       = module.docmill.values.config
}
