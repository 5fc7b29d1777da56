resource "kubernetes_namespace_v1" "this" {
  count = var.create ? 1 : 0

  metadata {
    name = var.name
    labels = merge({
      "docmill.io/env"                             = var.environment
      "app.kubernetes.io/managed-by"               = "terraform"
      "pod-security.kubernetes.io/enforce"         = var.pod_security
      "pod-security.kubernetes.io/enforce-version" = "latest"
      "pod-security.kubernetes.io/warn"            = "restricted"
    }, var.labels)
  }
}

resource "kubernetes_resource_quota_v1" "this" {
  count = var.create && length(var.quota) > 0 ? 1 : 0

  metadata {
    name      = "quota"
    namespace = kubernetes_namespace_v1.this[0].metadata[0].name
  }
  spec {
    hard = var.quota
  }
}

resource "kubernetes_limit_range_v1" "this" {
  count = var.create && length(var.quota) > 0 ? 1 : 0

  metadata {
    name      = "defaults"
    namespace = kubernetes_namespace_v1.this[0].metadata[0].name
  }
  spec {
    limit {
      type            = "Container"
      default_request = var.container_defaults.requests
      default         = var.container_defaults.limits
    }
  }
}

resource "kubernetes_role_binding_v1" "this" {
  for_each = var.create ? { for role, groups in { admin = var.admins, view = var.viewers } : role => groups if length(groups) > 0 } : {}

  metadata {
    name      = each.key
    namespace = kubernetes_namespace_v1.this[0].metadata[0].name
  }
  role_ref {
    api_group = "rbac.authorization.k8s.io"
    kind      = "ClusterRole"
    name      = each.key
  }
  dynamic "subject" {
    for_each = each.value
    content {
      kind      = "Group"
      name      = subject.value
      api_group = "rbac.authorization.k8s.io"
    }
  }
}
