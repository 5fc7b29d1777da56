locals {
  # A `for`, because a conditional would make all of it text.
  config = { for section, settings in {
    blob = {
      kind   = "s3"
      bucket = try(module.service.bucket.name, null)
      region = var.region
    }
    queue = {
      kind               = "sqs"
      interactive_url    = try(module.service.queues["interactive"].url, null)
      bulk_url           = try(module.service.queues["bulk"].url, null)
      region             = var.region
      visibility_seconds = var.job_seconds
    }
    intake = {
      queue_url = try(module.service.queues["intake"].url, null)
    }
    catalog = {
      kind     = "postgres"
      host     = try(module.service.database.host, null)
      port     = try(module.service.database.port, null)
      database = try(module.service.database.name, null)
      user     = local.database.iam_auth ? local.database_user : try(module.service.database.master_username, null)
      iam_auth = local.database.iam_auth
      tls_ca   = var.database_ca_path
    }
    provision = local.database.iam_auth ? { catalog_user = local.database_owner } : {}
  } : section => settings if var.create }
}

output "values" {
  description = "Values for docmill's chart: write them to a file by `terraform output -json values` (JSON is YAML) and pass it after the presets."
  value = {
    global = {
      env      = var.environment
      provider = "eks"
    }
    config          = local.config
    serviceAccounts = { for name, role in module.service.roles : name => { annotations = role.annotations } }
    secrets = {
      # Settings, and where Secrets Manager has them; the database's password only where log-in by IAM is off.
      externalSecret = { for name, remote in {
        "api.first_key"    = { key = try(module.service.secrets["first-api-key"].name, null) }
        "catalog.password" = { key = var.create && !local.database.iam_auth ? module.service.database.master_secret_arn : null, property = "password" }
      } : name => remote if remote.key != null }
    }
  }
}

output "config_toml" {
  description = "The same configuration as a file for docmill's programs (docmill-provision check, say)."
  value = join("\n", flatten([for section, settings in local.config : concat(
    ["[${section}]"], [for key, value in settings : "${key} = ${jsonencode(value)}"], [""],
  )]))
}

output "service" {
  description = "Everything that modules/service gives back: ARNs, target groups, the master password's secret."
  value       = module.service
}
