mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = { name = "projects/example-project/serviceAccounts/mocked@example-project.iam.gserviceaccount.com", email = "mocked@example-project.iam.gserviceaccount.com" }
  }
}

variables {
  project      = "example-project"
  service_name = "docmill"
  environment  = "prod"
  namespace    = "docmill"
}

run "identities_by_workload_identity" {
  variables {
    bucket     = { create = true, log_bucket = "logs", kms_key = "projects/p/locations/l/keyRings/r/cryptoKeys/k" }
    components = { api = { bucket = "write" }, worker = { bucket = "read", service_account = "own" }, provision = {} }
  }
  assert {
    condition     = google_service_account_iam_member.workload_identity["api"].member == "serviceAccount:example-project.svc.id.goog[docmill/docmill-api]" && google_service_account_iam_member.workload_identity["worker"].member == "serviceAccount:example-project.svc.id.goog[docmill/own]"
    error_message = "another Kubernetes service account could take the identity"
  }
  assert {
    condition     = keys(google_storage_bucket_iam_member.component) == ["api", "worker"] && google_storage_bucket_iam_member.component["api"].role == "roles/storage.objectUser" && google_storage_bucket_iam_member.component["worker"].role == "roles/storage.objectViewer"
    error_message = "rights on the bucket are wrong"
  }
  assert {
    condition     = google_storage_bucket.this[0].uniform_bucket_level_access && google_storage_bucket.this[0].public_access_prevention == "enforced" && google_storage_bucket.this[0].versioning[0].enabled && google_storage_bucket.this[0].soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "bucket: can be public, is not versioned, or keeps what was erased"
  }
  assert {
    condition     = output.service_accounts["api"].annotations == { "iam.gke.io/gcp-service-account" = "mocked@example-project.iam.gserviceaccount.com" } && google_service_account.component["api"].account_id == "docmill-prod-api"
    error_message = "annotations or names are wrong"
  }
}

run "bucket_off_and_all_off" {
  variables {
    create     = false
    bucket     = { create = true }
    components = { api = { bucket = "write" } }
  }
  assert {
    condition     = output.bucket == null && length(output.service_accounts) == 0
    error_message = "create = false still makes something"
  }
}

run "project_by_number" {
  command = plan
  variables {
    project = "123456"
  }
  expect_failures = [var.project]
}

run "service_name_too_long" {
  command = plan
  variables {
    service_name = "a-very-long-service-name"
  }
  expect_failures = [var.service_name]
}

run "environment_unknown" {
  command = plan
  variables {
    environment = "preprod"
  }
  expect_failures = [var.environment]
}

run "component_right_unknown" {
  command = plan
  variables {
    bucket     = { create = true }
    components = { api = { bucket = "own" } }
  }
  expect_failures = [var.components]
}

run "component_name_too_long" {
  command = plan
  variables {
    components = { provisioner = {} }
  }
  expect_failures = [var.components]
}

run "component_without_bucket" {
  command = plan
  variables {
    components = { api = { bucket = "read" } }
  }
  expect_failures = [var.components]
}

run "force_destroy_in_prod" {
  command = plan
  variables {
    bucket = { create = true, force_destroy = true }
  }
  expect_failures = [var.bucket]
}

run "bucket_days" {
  command = plan
  variables {
    bucket = { create = true, noncurrent_days = 0 }
  }
  expect_failures = [var.bucket]
}

run "namespace_and_labels_bad" {
  command = plan
  variables {
    namespace = "Docmill"
    labels    = { Team = "documents" }
  }
  expect_failures = [var.namespace, var.labels]
}
