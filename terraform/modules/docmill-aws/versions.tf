terraform {
  # As modules/service.
  required_version = ">= 1.11"
  required_providers {
    # Used by modules/service; named here too, because tests mock only what their root module names, and would call AWS for the rest.
    # tflint-ignore: terraform_unused_required_providers
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}
