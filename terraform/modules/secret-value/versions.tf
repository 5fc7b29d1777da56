terraform {
  # 1.11: write-only arguments and ephemeral variables that reach them.
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}
