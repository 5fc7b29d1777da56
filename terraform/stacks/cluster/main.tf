# An EKS cluster in Auto Mode: AWS runs nodes, Pod Identity's agent, block storage and load balancing. Which nodes (Spot, arm64, limits) is said by
# NodePools in the cluster, which are Argo CD's.

data "aws_partition" "current" {}

locals {
  name     = "platform-${var.environment}"
  policies = "arn:${data.aws_partition.current.partition}:iam::aws:policy"
}

resource "aws_eks_cluster" "this" {
  #checkov:skip=CKV_AWS_37:api, scheduler and controller logs are many and say little; audit and authenticator are kept
  name                          = local.name
  version                       = var.kubernetes_version
  role_arn                      = aws_iam_role.cluster.arn
  bootstrap_self_managed_addons = false
  enabled_cluster_log_types     = ["audit", "authenticator"]
  deletion_protection           = contains(["staging", "prod"], var.environment)
  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }
  compute_config {
    enabled       = true
    node_pools    = ["general-purpose", "system"]
    node_role_arn = aws_iam_role.node.arn
  }
  kubernetes_network_config {
    elastic_load_balancing {
      enabled = true
    }
  }
  storage_config {
    block_storage {
      enabled = true
    }
  }
  encryption_config {
    resources = ["secrets"]
    provider {
      key_arn = aws_kms_key.secrets.arn
    }
  }
  vpc_config {
    subnet_ids              = var.private_subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }
  # Else a removal takes the role's rights first, and what the cluster made (nodes, balancers) stays behind.
  depends_on = [aws_iam_role_policy_attachment.cluster, aws_cloudwatch_log_group.this]
}

# EKS makes this group itself, kept for ever, if it is not there first.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:audit logs hold no secrets; CloudWatch's own encryption is enough
  #checkov:skip=CKV_AWS_338:log_days is the caller's, and paid by the gigabyte
  name              = "/aws/eks/${local.name}/cluster"
  retention_in_days = var.log_days
}

resource "aws_kms_key" "secrets" {
  #checkov:skip=CKV2_AWS_64:the default policy leaves it to IAM, as is meant
  description             = "encrypts the secrets of ${local.name} in etcd"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_eks_access_entry" "admin" {
  for_each = var.admin_role_arns

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "admin" {
  for_each = var.admin_role_arns

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
  policy_arn    = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
  access_scope {
    type = "cluster"
  }
}

resource "aws_iam_role" "cluster" {
  name = "${local.name}-cluster"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  for_each = toset(["AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"])

  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policies}/${each.value}"
}

resource "aws_iam_role" "node" {
  name = "${local.name}-node"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "${local.policies}/${each.value}"
}

output "cluster_name" {
  description = "For the service layer."
  value       = aws_eks_cluster.this.name
}

output "cluster_security_group_id" {
  description = "For the service layer: the group that nodes and pods are in."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}

output "oidc_issuer" {
  description = "For whoever prefers IRSA to Pod Identity."
  value       = one(flatten(aws_eks_cluster.this.identity[*].oidc)[*].issuer)
}
