data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  issuer       = "token.actions.githubusercontent.com"
  account_id   = data.aws_caller_identity.current.account_id
  partition    = data.aws_partition.current.partition
  provider_arn = "arn:${local.partition}:iam::${local.account_id}:oidc-provider/${local.issuer}"
  boundary_arn = "arn:${local.partition}:iam::${local.account_id}:policy/${var.service_name}-boundary"
  state_arn    = "arn:${local.partition}:s3:::${var.state_bucket}"
  environments = var.create ? var.environments : {}
  tags         = merge({ service = var.service_name, managed-by = "terraform" }, var.tags)

  # `sub` says where a run comes from; it is compared for equality, never by pattern.
  subjects = merge(
    { plan = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/${var.default_branch}"] },
    { for env in keys(var.environments) : env => ["repo:${var.repository}:environment:${env}"] },
  )
  trust = { for role, subjects in local.subjects : role => jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider_arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = subjects
        }
      }
    }]
  }) }
}

resource "aws_iam_openid_connect_provider" "this" {
  count = var.create && var.create_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
  tags           = local.tags
}

################################################################################
# Boundary: what no role of the service may ever do, whoever wrote its policy
################################################################################

resource "aws_iam_policy" "boundary" {
  #checkov:skip=CKV2_AWS_40:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_286:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_287:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_288:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_289:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_290:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_355:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_62:a boundary grants nothing: it bounds what a role's own policy grants
  #checkov:skip=CKV_AWS_63:a boundary grants nothing: it bounds what a role's own policy grants
  count = var.create ? 1 : 0

  name        = "${var.service_name}-boundary"
  description = "bounds every role that ${var.service_name}'s Terraform makes: no identity, no account, no other role"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Anything", Effect = "Allow", Action = "*", Resource = "*" },
      { Sid = "ButIdentity", Effect = "Deny", Action = ["iam:*", "organizations:*", "account:*", "sts:AssumeRole"], Resource = "*" },
    ]
  })
  tags = local.tags
}

################################################################################
# Plan: reads settings, not data
################################################################################

resource "aws_iam_role" "plan" {
  count = var.create ? 1 : 0

  name                 = "${var.service_name}-github-plan"
  description          = "terraform plan of ${var.repository}"
  assume_role_policy   = local.trust["plan"]
  max_session_duration = 3600
  tags                 = local.tags
  depends_on           = [aws_iam_openid_connect_provider.this]
}

resource "aws_iam_role_policy_attachment" "plan" {
  count = var.create ? 1 : 0

  role       = aws_iam_role.plan[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"
}

resource "aws_iam_role_policy" "plan" {
  count = var.create ? 1 : 0

  name = "states-but-no-data"
  role = aws_iam_role.plan[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([
      # ReadOnlyAccess reads documents, messages and secrets too; a plan of a pull request must not.
      { Sid = "NoObjects", Effect = "Deny", Action = ["s3:GetObject", "s3:GetObjectVersion"], NotResource = "${local.state_arn}/*" },
      { Sid = "NoData", Effect = "Deny", Resource = "*", Action = [
        "sqs:ReceiveMessage", "secretsmanager:GetSecretValue", "ssm:GetParameter*", "logs:GetLogEvents", "logs:FilterLogEvents", "logs:StartQuery",
      ] },
      { Sid = "States", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.state_arn}/*" },
      { Sid = "Locks", Effect = "Allow", Action = ["s3:PutObject", "s3:DeleteObject"], Resource = "${local.state_arn}/*.tflock" },
      ], var.state_kms_key_arn == null ? [] : [
      { Sid = "StateKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.state_kms_key_arn },
    ])
  })
}

################################################################################
# Apply: one role an environment, for the service layer
################################################################################

resource "aws_iam_role" "apply" {
  for_each = local.environments

  name                 = "${var.service_name}-github-apply-${each.key}"
  description          = "terraform apply of ${var.repository} in ${each.key}"
  assume_role_policy   = local.trust[each.key]
  max_session_duration = 3600
  tags                 = merge(local.tags, { environment = each.key })
  depends_on           = [aws_iam_openid_connect_provider.this]
}

resource "aws_iam_policy" "apply" {
  for_each = local.apply_policies

  name        = "${var.service_name}-github-apply-${each.key}"
  description = "manages ${var.service_name}-${each.value.env}-…"
  policy      = jsonencode({ Version = "2012-10-17", Statement = jsondecode(each.value.statements) })
  tags        = local.tags
}

resource "aws_iam_role_policy_attachment" "apply" {
  for_each = local.apply_policies

  role       = aws_iam_role.apply[each.value.env].name
  policy_arn = aws_iam_policy.apply[each.key].arn
}
