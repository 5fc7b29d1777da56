module "docmill" {
  source = "../../modules/docmill-aws"

  environment = var.environment
  region      = var.region
  tags        = var.tags
  cluster     = { name = var.cluster_name }
  network = {
    vpc_id                 = var.vpc_id
    private_subnet_ids     = var.private_subnet_ids
    client_security_groups = { cluster = var.cluster_security_group_id }
  }
  database                 = var.database
  inbox_days               = var.inbox_days
  replica_region           = var.replica_region
  replica_kms_key_arn      = var.replica_kms_key_arn
  alarm_topic_arns         = var.alarm_topic_arns
  budget_emails            = var.budget_emails
  permissions_boundary_arn = var.permissions_boundary_arn
}

output "values" {
  description = "Values for docmill's chart: ./tf ENV/REGION/service output -json values."
  value       = module.docmill.values
}

output "config_toml" {
  description = "The same as a configuration file: ./tf ENV/REGION/service output -raw config_toml."
  value       = module.docmill.config_toml
}
