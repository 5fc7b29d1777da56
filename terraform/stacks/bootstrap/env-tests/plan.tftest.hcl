# Plans the layer with the settings that -var-file names: scripts/terraform-test runs it for every environment, and docs/cost.md is
# computed from the plan that -verbose prints.

mock_provider "aws" {
  source          = "../../tests/mocks"
  override_during = plan
}

run "plan" {
  command = plan
}
