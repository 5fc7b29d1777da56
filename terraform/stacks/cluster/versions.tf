terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
  # Bucket, key and region come from envs/ENV/REGION/LAYER/backend.hcl, by ./tf.
  backend "s3" {}
}

provider "aws" {
  region = var.region
  default_tags {
    tags = merge({ environment = var.environment, layer = "cluster", managed-by = "terraform" }, var.tags)
  }
}
