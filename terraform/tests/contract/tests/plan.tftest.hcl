# Printed by `terraform test -json -verbose`, for `arguments`.

mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

run "plan" {
  command = plan
}
