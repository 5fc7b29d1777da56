################################################################################
# One role a component, by IRSA or Pod Identity
################################################################################

locals {
  components       = var.create && var.workload_identity.kind != "none" ? var.components : {}
  service_accounts = { for name, c in var.components : name => coalesce(c.service_account, "${var.service_name}-${name}") }
  # arn:aws:iam::ACCOUNT:oidc-provider/HOST/PATH → HOST/PATH, the prefix of the provider's condition keys.
  oidc_issuer = try(split(":oidc-provider/", var.workload_identity.oidc_provider_arn)[1], "")

  trust = {
    for name, account in local.service_accounts : name => var.workload_identity.kind == "irsa" ? jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Federated = var.workload_identity.oidc_provider_arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.oidc_issuer}:sub" = "system:serviceaccount:${coalesce(var.workload_identity.namespace, "none")}:${account}"
            "${local.oidc_issuer}:aud" = "sts.${local.dns_suffix}"
          }
        }
      }]
      }) : jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = "pods.eks.${local.dns_suffix}" }
        Action    = ["sts:AssumeRole", "sts:TagSession"]
        Condition = {
          StringEquals = {
            "aws:SourceAccount"                         = local.account_id
            "aws:RequestTag/eks-cluster-name"           = var.workload_identity.cluster_name
            "aws:RequestTag/kubernetes-namespace"       = var.workload_identity.namespace
            "aws:RequestTag/kubernetes-service-account" = account
          }
        }
      }]
    })
  }
}

resource "aws_iam_role" "component" {
  for_each = local.components

  name                 = "${local.name}-${each.key}"
  description          = "what ${var.service_name}'s ${each.key} may do in ${var.environment}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = local.trust[each.key]
  tags                 = local.tags
}

resource "aws_iam_role_policy" "component" {
  for_each = { for name, c in local.components : name => c if length(local.grants[name]) > 0 }

  name   = "service"
  role   = aws_iam_role.component[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.grants[each.key] })
}

resource "aws_eks_pod_identity_association" "component" {
  for_each = var.workload_identity.kind == "pod_identity" ? local.components : {}

  region          = local.region
  cluster_name    = var.workload_identity.cluster_name
  namespace       = var.workload_identity.namespace
  service_account = local.service_accounts[each.key]
  role_arn        = aws_iam_role.component[each.key].arn
  tags            = local.tags
}
