# The same ground on Google Cloud, as far as docmill needs it there: a bucket (spoken to by the S3-compatible XML API) and an identity
# for each component by Workload Identity. Keys for the XML API (HMAC) would stand in Terraform's state, so none is made here.

locals {
  name             = "${var.service_name}-${var.environment}"
  create_bucket    = var.create && var.bucket.create
  components       = var.create ? var.components : {}
  service_accounts = { for name, c in var.components : name => coalesce(c.service_account, "${var.service_name}-${name}") }
  bucket_roles     = { read = "roles/storage.objectViewer", write = "roles/storage.objectUser" }
}

resource "google_service_account" "component" {
  for_each = local.components

  project      = var.project
  account_id   = "${local.name}-${each.key}"
  display_name = "${var.service_name} ${each.key} in ${var.environment}"
}

resource "google_service_account_iam_member" "workload_identity" {
  for_each = local.components

  service_account_id = google_service_account.component[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${var.namespace}/${local.service_accounts[each.key]}]"
}

resource "google_storage_bucket" "this" {
  count = local.create_bucket ? 1 : 0

  project                     = var.project
  name                        = coalesce(var.bucket.name, "${var.project}-${local.name}")
  location                    = var.bucket.location
  force_destroy               = var.bucket.force_destroy
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = merge({ service = var.service_name, environment = var.environment, managed-by = "terraform" }, var.labels)
  versioning {
    enabled = true
  }
  # Erased is erased: soft delete would keep every object for another week.
  soft_delete_policy {
    retention_duration_seconds = 0
  }
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.bucket.noncurrent_days
    }
  }
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 2
    }
  }
  dynamic "encryption" {
    for_each = var.bucket.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }
  dynamic "logging" {
    for_each = var.bucket.log_bucket[*]
    content {
      log_bucket        = logging.value
      log_object_prefix = local.name
    }
  }
}

resource "google_storage_bucket_iam_member" "component" {
  for_each = { for name, c in local.components : name => c if c.bucket != "none" }

  bucket = google_storage_bucket.this[0].name
  role   = local.bucket_roles[each.value.bucket]
  member = "serviceAccount:${google_service_account.component[each.key].email}"
}
