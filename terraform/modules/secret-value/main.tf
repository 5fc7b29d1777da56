resource "aws_secretsmanager_secret_version" "this" {
  region                   = var.region
  secret_id                = var.secret_id
  secret_string_wo         = var.value
  secret_string_wo_version = var.value_version
}
