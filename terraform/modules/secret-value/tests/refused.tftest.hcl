mock_provider "aws" {}

run "version_zero_and_nothing_to_write" {
  command = plan
  variables {
    region        = "Frankfurt"
    secret_id     = "two words"
    value         = ""
    value_version = 0
  }
  expect_failures = [var.region, var.secret_id, var.value, var.value_version]
}
