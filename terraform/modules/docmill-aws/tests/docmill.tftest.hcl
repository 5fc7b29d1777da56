# What each environment gets, and what the chart is told.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  environment = "dev"
  region      = "eu-central-1"
  cluster     = { name = "platform-dev" }
  network     = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"], client_security_groups = { cluster = "sg-1" } }
}

run "values_in_the_agreed_shape" {
  assert {
    condition     = keys(output.values) == ["config", "global", "secrets", "serviceAccounts"] && output.values.global == { env = "dev", provider = "eks" }
    error_message = "values: other top-level keys than the chart knows"
  }
  assert {
    condition     = keys(output.values.config) == ["blob", "catalog", "intake", "provision", "queue"] && keys(output.values.config.blob) == ["bucket", "kind", "region"] && keys(output.values.config.queue) == ["bulk_url", "interactive_url", "kind", "region", "visibility_seconds"] && keys(output.values.config.intake) == ["queue_url"] && keys(output.values.config.catalog) == ["database", "host", "iam_auth", "kind", "port", "tls_ca", "user"]
    error_message = "values: config has other keys than docmill's configuration"
  }
  assert {
    condition     = output.values.config.blob.kind == "s3" && output.values.config.queue.kind == "sqs" && output.values.config.catalog.kind == "postgres" && output.values.config.catalog.user == "docmill" && output.values.config.catalog.port == 5432
    error_message = "values: wrong kinds, user or port"
  }
  assert {
    condition     = output.values.serviceAccounts == { api = { annotations = {} }, provision = { annotations = {} }, worker = { annotations = {} } }
    error_message = "values: Pod Identity needs no annotations"
  }
  assert {
    condition     = output.values.secrets.externalSecret == { "api.first_key" = { key = "docmill-dev/first-api-key" } }
    error_message = "values: wrong secrets"
  }
  assert {
    condition     = startswith(output.config_toml, "[blob]\nbucket = \"")
    error_message = "config_toml is not the configuration"
  }
  assert {
    condition     = strcontains(output.config_toml, "port = 5432\n") && strcontains(output.config_toml, "iam_auth = true\n")
    error_message = "config_toml: numbers and flags must not be quoted"
  }
}

run "irsa_annotates" {
  variables {
    cluster = { oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1" }
  }
  assert {
    condition     = keys(output.values.serviceAccounts.worker.annotations) == ["eks.amazonaws.com/role-arn"]
    error_message = "values: IRSA's service accounts need the role's ARN"
  }
}

run "password_instead_of_iam" {
  variables {
    database = { iam_auth = false }
  }
  assert {
    condition     = output.values.config.catalog.user == "master" && startswith(output.values.secrets.externalSecret["catalog.password"].key, "arn:aws:secretsmanager:") && !output.values.config.catalog.iam_auth
    error_message = "values: without IAM the chart must be told the master password's secret"
  }
}

run "dev_is_small_and_can_go" {
  command = plan
  assert {
    condition     = module.service.database.name == "docmill" && module.service.log_group == "/dev/docmill" && module.service.cache == null && module.service.load_balancer == null
    error_message = "dev: more than it needs"
  }
}

run "prod_is_protected_and_watched" {
  variables {
    environment         = "prod"
    replica_region      = "eu-west-1"
    replica_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1"
    alarm_topic_arns    = ["arn:aws:sns:eu-central-1:123456789012:t"]
    budget_emails       = ["a@example.com"]
  }
  assert {
    condition     = output.service.kms_key_arn != null && output.service.bucket.replica != null && keys(output.service.roles) == ["api", "provision", "worker"]
    error_message = "prod: no key, replica or roles"
  }
}

run "load_balancer_by_toggle" {
  variables {
    load_balancer = { create = true, certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1", ingress_cidrs = ["10.0.0.0/8"] }
  }
  assert {
    condition     = keys(output.service.load_balancer.target_group_arns) == ["api"]
    error_message = "load balancer: no target group for the API"
  }
}

run "aurora_by_override" {
  variables {
    database = { engine = "aurora-postgresql", min_capacity = 0, max_capacity = 1 }
  }
  assert {
    condition     = output.values.config.catalog.host == "mocked.cluster.example.com"
    error_message = "override of the engine is not taken"
  }
}

run "nothing_when_off" {
  variables {
    create = false
  }
  assert {
    condition     = length(output.values.config) == 0 && length(output.values.serviceAccounts) == 0 && output.service.bucket == null
    error_message = "create = false still makes something"
  }
}

run "environment_unknown" {
  command = plan
  variables {
    environment = "test"
  }
  expect_failures = [var.environment]
}

run "cluster_by_name_and_provider" {
  command = plan
  variables {
    cluster = { name = "a", oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/x" }
  }
  expect_failures = [var.cluster]
}

run "network_without_clients" {
  command = plan
  variables {
    network = { vpc_id = "vpc-1", private_subnet_ids = ["subnet-a", "subnet-b"], client_security_groups = {} }
  }
  expect_failures = [var.network]
}

run "job_seconds_out_of_range" {
  command = plan
  variables {
    job_seconds = 5
  }
  expect_failures = [var.job_seconds]
}

run "what_is_refused_together" {
  command = plan
  variables {
    # another engine
    database = { engine = "mysql" }
    # no absolute path
    database_ca_path = "rds.pem"
    # any page
    upload_origins = ["*"]
    # no copy in the same region
    replica_region = "eu-central-1"
    # an alias
    replica_kms_key_arn = "alias/copy"
    # no topic
    alarm_topic_arns = ["me@example.com"]
    # no address
    budget_emails = ["the team"]
    # neither certificate nor callers
    load_balancer = { create = true }
    # made and named at once
    kms = { create = true, key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
    # capitals
    namespace = "Docmill"
  }
  expect_failures = [
    var.database, var.database_ca_path, var.upload_origins, var.replica_region, var.replica_kms_key_arn, var.alarm_topic_arns, var.budget_emails,
    var.load_balancer, var.kms, var.namespace,
  ]
}

run "dropped_objects_expire" {
  command = plan
  variables {
    inbox_days = 30
  }
  assert {
    condition     = output.service.bucket_expiry == tomap({ "inbox/" = 30 })
    error_message = "what was dropped under inbox/ stays for ever"
  }
}

run "inbox_days_too_short" {
  command = plan
  variables {
    inbox_days = 6
  }
  expect_failures = [var.inbox_days]
}
