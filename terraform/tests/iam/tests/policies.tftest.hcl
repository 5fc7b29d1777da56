mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

run "policies" {
  command = plan
}
