mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  environment  = "dev"
  region       = "eu-central-1"
  state_bucket = "example-states"
  repository   = "example/docmill"
}

# Plans only: the state bucket's prevent_destroy would also stop this test's tidying up.
run "an_apply_role_for_this_environment_alone" {
  command = plan
  assert {
    condition     = keys(output.apply_role_arns) == ["dev"] && output.permissions_boundary_arn == "arn:aws:iam::123456789012:policy/docmill-boundary"
    error_message = "roles for other environments than this one, or no boundary"
  }
}

run "environment_unknown" {
  command = plan
  variables {
    environment = "preprod"
    regions     = ["Frankfurt"]
    tags        = { "aws:owner" = "team" }
  }
  expect_failures = [var.environment, var.regions, var.tags]
}
