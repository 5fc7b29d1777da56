terraform {
  # 1.11: write-only arguments and S3's native state lock; both are used beside this module.
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6: every regional resource takes `region`, so one provider serves the replica's region too.
      version = "~> 6.0"
    }
  }
}
