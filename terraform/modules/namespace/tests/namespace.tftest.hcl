mock_provider "kubernetes" {}

variables {
  name        = "orders"
  environment = "dev"
}

run "off_by_default" {
  assert {
    condition     = output.name == null && length(kubernetes_resource_quota_v1.this) + length(kubernetes_role_binding_v1.this) == 0
    error_message = "made without being asked: namespaces are Argo CD's"
  }
}

run "namespace_with_quota_and_rights" {
  variables {
    create  = true
    admins  = ["team-orders"]
    viewers = ["auditors", "support"]
    quota   = { "requests.cpu" = "4", "pods" = "20" }
    labels  = { team = "orders" }
  }
  assert {
    condition     = kubernetes_namespace_v1.this[0].metadata[0].labels["pod-security.kubernetes.io/enforce"] == "restricted" && kubernetes_namespace_v1.this[0].metadata[0].labels["docmill.io/env"] == "dev" && kubernetes_namespace_v1.this[0].metadata[0].labels["team"] == "orders"
    error_message = "namespace: labels are wrong"
  }
  assert {
    condition     = kubernetes_resource_quota_v1.this[0].spec[0].hard == tomap({ "requests.cpu" = "4", "pods" = "20" }) && kubernetes_limit_range_v1.this[0].spec[0].limit[0].default["memory"] == "256Mi"
    error_message = "quota or container defaults are wrong"
  }
  assert {
    condition     = kubernetes_role_binding_v1.this["admin"].role_ref[0].name == "admin" && [for s in kubernetes_role_binding_v1.this["view"].subject : s.name] == ["auditors", "support"]
    error_message = "rights are wrong"
  }
}

run "without_quota_or_groups" {
  variables {
    create       = true
    pod_security = "baseline"
  }
  assert {
    condition     = length(kubernetes_resource_quota_v1.this) + length(kubernetes_limit_range_v1.this) + length(kubernetes_role_binding_v1.this) == 0 && kubernetes_namespace_v1.this[0].metadata[0].labels["pod-security.kubernetes.io/enforce"] == "baseline"
    error_message = "more than the namespace was made, or its standard not taken"
  }
}

run "name_reserved" {
  command = plan
  variables {
    name = "kube-orders"
  }
  expect_failures = [var.name]
}

run "environment_unknown" {
  command = plan
  variables {
    environment = "preprod"
  }
  expect_failures = [var.environment]
}

run "standard_unknown" {
  command = plan
  variables {
    pod_security = "strict"
  }
  expect_failures = [var.pod_security]
}

run "quota_no_quantity" {
  command = plan
  variables {
    quota = { pods = "many" }
  }
  expect_failures = [var.quota]
}

run "labels_groups_and_defaults_bad" {
  command = plan
  variables {
    labels             = { team = "team orders" }
    admins             = ["system:masters"]
    viewers            = [""]
    container_defaults = { limits = { memory = "lots" } }
  }
  expect_failures = [var.labels, var.admins, var.viewers, var.container_defaults]
}
