mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  repository   = "example/orders"
  service_name = "orders"
  state_bucket = "example-states"
  environments = { dev = { regions = ["eu-central-1"] }, prod = { regions = ["eu-central-1", "eu-west-1"] } }
}

run "one_plan_role_and_one_apply_role_an_environment" {
  assert {
    condition     = keys(output.apply_role_arns) == ["dev", "prod"] && aws_iam_role.plan[0].name == "orders-github-plan" && aws_iam_role.apply["prod"].name == "orders-github-apply-prod"
    error_message = "roles are missing or misnamed"
  }
  assert {
    condition     = jsondecode(aws_iam_role.apply["prod"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:example/orders:environment:prod"]
    error_message = "prod's role can be taken from elsewhere than the environment prod"
  }
  assert {
    # IAM counts a managed policy without white space; Terraform writes none.
    condition     = alltrue([for p in aws_iam_policy.apply : length(p.policy) <= 6144])
    error_message = "an apply policy is longer than IAM allows: ${jsonencode([for p in aws_iam_policy.apply : length(p.policy)])}"
  }
  assert {
    condition     = output.boundary_arn == "arn:aws:iam::123456789012:policy/orders-boundary" && length(aws_iam_openid_connect_provider.this) == 1
    error_message = "no boundary or no provider"
  }
}

run "provider_of_another" {
  command = plan
  variables {
    create_provider   = false
    state_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }
  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0 && strcontains(aws_iam_policy.apply["dev-named"].policy, "key/1") && strcontains(aws_iam_role_policy.plan[0].policy, "key/1")
    error_message = "a second provider is made, or the states' key cannot be used"
  }
}

run "off" {
  variables {
    create = false
  }
  assert {
    condition     = output.plan_role_arn == null && length(output.apply_role_arns) == 0 && length(aws_iam_policy.boundary) == 0
    error_message = "create = false still makes something"
  }
}

run "repository_wildcard" {
  command = plan
  variables {
    repository = "example/*"
  }
  expect_failures = [var.repository]
}

run "branch_wildcard" {
  command = plan
  variables {
    default_branch = "*"
  }
  expect_failures = [var.default_branch]
}

run "service_name_bad" {
  command = plan
  variables {
    service_name = "*"
  }
  expect_failures = [var.service_name]
}

run "environment_unknown" {
  command = plan
  variables {
    environments = { test = { regions = ["eu-central-1"] } }
  }
  expect_failures = [var.environments]
}

run "environment_without_region" {
  command = plan
  variables {
    environments = { dev = { regions = [] } }
  }
  expect_failures = [var.environments]
}

run "bucket_key_and_tags_bad" {
  command = plan
  variables {
    state_bucket      = "arn:aws:s3:::example-states"
    state_kms_key_arn = "alias/states"
    tags              = { "aws:owner" = "team" }
  }
  expect_failures = [var.state_bucket, var.state_kms_key_arn, var.tags]
}
