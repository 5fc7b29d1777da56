# docmill's ground on Google Cloud: a bucket, and an identity for each component by GKE's Workload Identity.

terraform {
  required_version = ">= 1.11"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.0"
    }
  }
}

provider "google" {
  project = "example-project"
  region  = "europe-west3"
  default_labels = {
    owner = "team-documents"
  }
}

module "docmill" {
  source = "../../modules/google"

  project      = "example-project"
  service_name = "docmill"
  environment  = "prod"
  namespace    = "docmill"
  bucket       = { create = true, log_bucket = "example-project-logs" }
  components = {
    api       = { bucket = "write" }
    worker    = { bucket = "write" }
    provision = { bucket = "read" }
  }
}

output "docmill" {
  description = "What the chart is told: the bucket, and the annotations of each service account."
  value       = module.docmill
}
