output "bucket" {
  description = "Name of the bucket; null without one."
  value       = one(google_storage_bucket.this[*].name)
}

output "service_accounts" {
  description = "By component: the Kubernetes `service_account`, the Google account's `email`, and the `annotations` that bind them."
  value = { for name in keys(local.components) : name => {
    service_account = local.service_accounts[name]
    email           = google_service_account.component[name].email
    annotations     = { "iam.gke.io/gcp-service-account" = google_service_account.component[name].email }
  } }
}
