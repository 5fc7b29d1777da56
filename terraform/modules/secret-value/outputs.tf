output "version_id" {
  description = "Id of the version that was written."
  value       = aws_secretsmanager_secret_version.this.version_id
}
