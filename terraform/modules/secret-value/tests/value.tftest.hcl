# Needs a provider that marks write-only arguments: without the mark Terraform refuses the ephemeral value, and rightly.

mock_provider "aws" {}

variables {
  secret_id     = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:orders-dev/key-abcdef"
  value         = "planted"
  value_version = 1
}

run "written_but_kept_nowhere" {
  assert {
    condition     = aws_secretsmanager_secret_version.this.secret_string_wo == null && aws_secretsmanager_secret_version.this.secret_string_wo_version == 1
    error_message = "the value stands in the state"
  }
}
