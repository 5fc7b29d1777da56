# What an apply role may do: manage what is named SERVICE-ENV-…, hold no data, and give no role more than the boundary.
# Two policies, because IAM allows 6144 characters each.

locals {
  apply_named = { for env, e in var.environments : env => concat(
    [
      ##########################################################################
      # Where
      ##########################################################################
      # Services without a region are left out, and S3 and the states' key, because the states may be kept elsewhere.
      { Sid = "OtherRegions", Effect = "Deny", NotAction = ["iam:*", "sts:*", "budgets:*", "route53:*", "s3:*", "kms:Decrypt", "kms:GenerateDataKey"], Resource = "*",
      Condition = { StringNotEquals = { "aws:RequestedRegion" = e.regions } } },

      ##########################################################################
      # State
      ##########################################################################
      { Sid = "States", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "${local.state_arn}/${env}/*" },
      { Sid = "Locks", Effect = "Allow", Action = "s3:DeleteObject", Resource = "${local.state_arn}/${env}/*.tflock" },
      { Sid = "FindStates", Effect = "Allow", Action = "s3:ListBucket", Resource = local.state_arn, Condition = { StringLike = { "s3:prefix" = "${env}/*" } } },

      ##########################################################################
      # What can be named
      ##########################################################################
      # Bucket ARNs only: settings, no objects.
      { Sid = "Buckets", Effect = "Allow", Action = "s3:*", Resource = "arn:${local.partition}:s3:::${var.service_name}-${env}-*" },
      { Sid = "NoObjects", Effect = "Deny", Action = ["s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*"], Resource = "arn:${local.partition}:s3:::${var.service_name}-*/*" },
      { Sid = "Queues", Effect = "Allow", Resource = "arn:${local.partition}:sqs:*:${local.account_id}:${var.service_name}-${env}-*", Action = [
        "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:TagQueue", "sqs:UntagQueue", "sqs:ListQueueTags",
      ] },
      { Sid = "Databases", Effect = "Allow", Action = "rds:*", Resource = [
        for kind in ["db", "cluster", "subgrp", "pg", "cluster-pg", "snapshot", "cluster-snapshot"] : "arn:${local.partition}:rds:*:${local.account_id}:${kind}:${var.service_name}-${env}*"
      ] },
      { Sid = "Caches", Effect = "Allow", Action = "elasticache:*", Resource = [
        for kind in ["replicationgroup", "cluster", "subnetgroup", "user", "usergroup"] : "arn:${local.partition}:elasticache:*:${local.account_id}:${kind}:${var.service_name}-${env}*"
      ] },
      { Sid = "Secrets", Effect = "Allow", Resource = "arn:${local.partition}:secretsmanager:*:${local.account_id}:secret:${var.service_name}-${env}/*", Action = [
        "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret", "secretsmanager:UpdateSecret", "secretsmanager:RotateSecret",
        "secretsmanager:CancelRotateSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:TagResource", "secretsmanager:UntagResource",
      ] },
      # RDS keeps the master password in a secret that it makes in the caller's name.
      { Sid = "MasterSecrets", Effect = "Allow", Action = ["secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:RotateSecret"],
      Resource = "arn:${local.partition}:secretsmanager:*:${local.account_id}:secret:rds!*" },
      { Sid = "Logs", Effect = "Allow", Resource = [for group in ["/${env}/${var.service_name}*", "/aws/rds/*/${var.service_name}-${env}*"] : "arn:${local.partition}:logs:*:${local.account_id}:log-group:${group}"], Action = [
        "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy", "logs:AssociateKmsKey", "logs:DisassociateKmsKey",
        "logs:TagResource", "logs:UntagResource", "logs:ListTagsForResource",
      ] },
      { Sid = "Alarms", Effect = "Allow", Action = ["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:TagResource", "cloudwatch:UntagResource", "cloudwatch:ListTagsForResource"],
      Resource = "arn:${local.partition}:cloudwatch:*:${local.account_id}:alarm:${var.service_name}-${env}-*" },
      { Sid = "Backups", Effect = "Allow", Action = "backup:*", Resource = ["arn:${local.partition}:backup:*:${local.account_id}:backup-vault:${var.service_name}-${env}", "arn:${local.partition}:backup:*:${local.account_id}:backup-plan:*"] },
      { Sid = "Budgets", Effect = "Allow", Action = ["budgets:ViewBudget", "budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource", "budgets:ListTagsForResource"], Resource = "arn:${local.partition}:budgets::${local.account_id}:budget/${var.service_name}-${env}" },
    ],
    var.state_kms_key_arn == null ? [] : [
      { Sid = "StateKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.state_kms_key_arn },
    ],
  ) }

  apply_other = { for env in keys(var.environments) : env => [
    ##########################################################################
    # Roles: only bounded ones, only of this environment
    ##########################################################################
    { Sid      = "BoundedRoles", Effect = "Allow", Action = ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:AttachRolePolicy"],
      Resource = "arn:${local.partition}:iam::${local.account_id}:role/${var.service_name}-${env}-*"
    Condition = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arn } } },
    { Sid = "Roles", Effect = "Allow", Resource = "arn:${local.partition}:iam::${local.account_id}:role/${var.service_name}-${env}-*", Action = [
      "iam:GetRole", "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
      "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:TagRole", "iam:UntagRole",
    ] },
    { Sid = "HandOver", Effect = "Allow", Action = "iam:PassRole", Resource = "arn:${local.partition}:iam::${local.account_id}:role/${var.service_name}-${env}-*",
    Condition = { StringEquals = { "iam:PassedToService" = ["s3.amazonaws.com", "backup.amazonaws.com", "monitoring.rds.amazonaws.com", "pods.eks.amazonaws.com"] } } },

    ##########################################################################
    # What has no name of ours: by tag, or by region
    ##########################################################################
    { Sid = "MakeTagged", Effect = "Allow", Resource = "*", Action = ["kms:CreateKey", "ec2:CreateSecurityGroup", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"],
    Condition = { StringEquals = { "aws:RequestTag/service" = var.service_name, "aws:RequestTag/environment" = env } } },
    { Sid = "InVpc", Effect = "Allow", Action = "ec2:CreateSecurityGroup", Resource = "arn:${local.partition}:ec2:*:${local.account_id}:vpc/*" },
    { Sid = "ManageTagged", Effect = "Allow", Resource = "*", Action = [
      "kms:DescribeKey", "kms:GetKey*", "kms:PutKeyPolicy", "kms:EnableKeyRotation", "kms:ScheduleKeyDeletion", "kms:UpdateKeyDescription", "kms:ListResourceTags", "kms:TagResource", "kms:CreateAlias", "kms:DeleteAlias",
      "ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroup*", "ec2:RevokeSecurityGroup*",
      "elasticloadbalancing:*",
      ],
    Condition = { StringEquals = { "aws:ResourceTag/service" = var.service_name, "aws:ResourceTag/environment" = env } } },
    { Sid = "Aliases", Effect = "Allow", Action = ["kms:CreateAlias", "kms:DeleteAlias"], Resource = "arn:${local.partition}:kms:*:${local.account_id}:alias/${var.service_name}-${env}" },
    # AWS services take the key for what they encrypt; nobody decrypts by this.
    { Sid = "GrantToServices", Effect = "Allow", Action = "kms:CreateGrant", Resource = "*", Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" }, StringEquals = { "aws:ResourceTag/service" = var.service_name } } },
    { Sid = "TagGroups", Effect = "Allow", Action = "ec2:CreateTags", Resource = "*", Condition = { StringEquals = { "ec2:CreateAction" = "CreateSecurityGroup" } } },
    { Sid = "TagBalancers", Effect = "Allow", Action = "elasticloadbalancing:AddTags", Resource = "*", Condition = { StringEquals = { "elasticloadbalancing:CreateAction" = ["CreateLoadBalancer", "CreateTargetGroup"] } } },
    { Sid = "PodIdentities", Effect = "Allow", Resource = "*", Action = ["eks:CreatePodIdentityAssociation", "eks:DeletePodIdentityAssociation", "eks:UpdatePodIdentityAssociation", "eks:DescribePodIdentityAssociation", "eks:ListPodIdentityAssociations", "eks:TagResource"] },
    { Sid = "Images", Effect = "Allow", Action = "ecr:*", Resource = "arn:${local.partition}:ecr:*:${local.account_id}:repository/${var.service_name}/*" },
    { Sid = "Look", Effect = "Allow", Resource = "*", Action = [
      "ec2:Describe*", "elasticloadbalancing:Describe*", "rds:Describe*", "elasticache:Describe*", "logs:DescribeLogGroups", "kms:ListAliases", "backup:CreateBackupPlan",
      "backup-storage:MountCapsule", "route53:Get*", "route53:List*", "eks:DescribeCluster",
    ] },
  ] }

  apply_policies = merge([for env in keys(local.environments) : {
    "${env}-named" = { env = env, statements = jsonencode(local.apply_named[env]) }
    "${env}-other" = { env = env, statements = jsonencode(local.apply_other[env]) }
  }]...)
}
