# Database and cache: each toggle, and the shape of what it makes.

mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  service_name = "orders"
  environment  = "dev"
  region       = "eu-central-1"
  network = {
    vpc_id                 = "vpc-1"
    private_subnet_ids     = ["subnet-a", "subnet-b"]
    client_security_groups = { cluster = "sg-1", bastion = "sg-2" }
  }
}

run "rds" {
  variables {
    database = { create = true }
  }
  assert {
    condition     = aws_db_instance.this[0].identifier == "orders-dev" && aws_db_instance.this[0].db_name == "orders" && aws_db_instance.this[0].max_allocated_storage == 100 && !aws_db_instance.this[0].multi_az
    error_message = "database: wrong name or size"
  }
  assert {
    condition     = aws_db_instance.this[0].manage_master_user_password && aws_db_instance.this[0].password == null && aws_db_instance.this[0].storage_encrypted && !aws_db_instance.this[0].publicly_accessible && aws_db_instance.this[0].iam_database_authentication_enabled
    error_message = "database: password in Terraform's hands, unencrypted, public or without log-in by IAM"
  }
  assert {
    condition     = contains([for p in aws_db_parameter_group.this[0].parameter : "${p.name}=${p.value}"], "rds.force_ssl=1") && aws_db_parameter_group.this[0].family == "postgres17"
    error_message = "database: TLS is not forced"
  }
  assert {
    condition     = !aws_db_instance.this[0].deletion_protection && aws_db_instance.this[0].skip_final_snapshot
    error_message = "database: dev is protected without being asked"
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.database : "${r.referenced_security_group_id}:${r.from_port}-${r.to_port}"]) == toset(["sg-1:5432-5432", "sg-2:5432-5432"])
    error_message = "database: reached by others than the clients, or on other ports"
  }
  assert {
    condition     = length(aws_rds_cluster.this) + length(aws_db_instance_automated_backups_replication.this) + length(aws_iam_role.database_monitoring) == 0
    error_message = "database: more was made than asked"
  }
  assert {
    condition     = toset([for g in aws_cloudwatch_log_group.database : "${g.name} ${g.retention_in_days}"]) == toset(["/aws/rds/instance/orders-dev/postgresql 30", "/aws/rds/instance/orders-dev/upgrade 30"])
    error_message = "database: its logs are kept for ever"
  }
  assert {
    condition     = output.database.port == 5432 && output.database.host == "mocked.rds.example.com" && startswith(output.database.master_secret_arn, "arn:aws:secretsmanager:")
    error_message = "database: outputs are wrong"
  }
}

run "rds_of_prod" {
  variables {
    environment = "prod"
    database    = { create = true, multi_az = true, backup_days = 14, replicate_backups_to = "eu-west-1", monitoring_seconds = 60, storage_gb = 100, max_storage_gb = 500 }
  }
  assert {
    condition     = aws_db_instance.this[0].deletion_protection && !aws_db_instance.this[0].skip_final_snapshot && aws_db_instance.this[0].final_snapshot_identifier == "orders-prod-final" && aws_db_instance.this[0].multi_az
    error_message = "prod's database: not protected, without a last snapshot, or in one zone"
  }
  assert {
    condition     = aws_db_instance_automated_backups_replication.this[0].region == "eu-west-1" && aws_db_instance.this[0].monitoring_role_arn != null
    error_message = "backups are not replicated, or monitoring has no role"
  }
}

run "aurora" {
  variables {
    database = { create = true, engine = "aurora-postgresql", min_capacity = 0, max_capacity = 2, multi_az = true, iam_auth = false, name = "books" }
  }
  assert {
    condition     = length(aws_db_instance.this) == 0 && length(aws_rds_cluster_instance.this) == 2 && aws_rds_cluster_instance.this[0].instance_class == "db.serverless"
    error_message = "aurora: not one writer and one reader, serverless"
  }
  assert {
    condition     = aws_rds_cluster.this[0].serverlessv2_scaling_configuration[0].max_capacity == 2 && aws_rds_cluster.this[0].database_name == "books" && !aws_rds_cluster.this[0].iam_database_authentication_enabled
    error_message = "aurora: settings not taken"
  }
  assert {
    condition     = aws_rds_cluster.this[0].manage_master_user_password && aws_rds_cluster.this[0].storage_encrypted && contains([for p in aws_rds_cluster_parameter_group.this[0].parameter : "${p.name}=${p.value}"], "rds.force_ssl=1")
    error_message = "aurora: password in Terraform's hands, unencrypted, or TLS not forced"
  }
  assert {
    condition     = [for g in aws_cloudwatch_log_group.database : g.name] == ["/aws/rds/cluster/orders-dev/postgresql"]
    error_message = "aurora: its logs are kept for ever"
  }
  assert {
    condition     = output.database.host == "mocked.cluster.example.com" && output.database.reader_host == "mocked.cluster-ro.example.com"
    error_message = "aurora: outputs are wrong"
  }
}

run "aurora_with_readers" {
  command = plan
  variables {
    environment = "prod"
    database    = { create = true, engine = "aurora-postgresql", replicas = 2 }
  }
  assert {
    condition     = length(aws_rds_cluster_instance.this) == 3 && aws_rds_cluster.this[0].deletion_protection
    error_message = "aurora: not one writer and two readers, or not protected"
  }
}

run "cache" {
  variables {
    cache = { create = true, replicas = 1 }
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].engine == "valkey" && aws_elasticache_replication_group.this[0].num_cache_clusters == 2 && aws_elasticache_replication_group.this[0].automatic_failover_enabled
    error_message = "cache: wrong engine or no failover"
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].transit_encryption_enabled && aws_elasticache_replication_group.this[0].at_rest_encryption_enabled && aws_elasticache_user.this[0].authentication_mode[0].type == "iam"
    error_message = "cache: not encrypted, or log-in not by IAM"
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.cache : "${r.referenced_security_group_id}:${r.from_port}"]) == toset(["sg-1:6379", "sg-2:6379"])
    error_message = "cache: reached by others than the clients"
  }
}

run "backup_of_both_with_a_copy" {
  variables {
    bucket   = { create = true }
    database = { create = true }
    backup   = { create = true, retention_days = 20, copy_to_region = "eu-west-1" }
  }
  assert {
    condition     = length(aws_backup_selection.this[0].resources) == 2 && aws_backup_vault.copy[0].region == "eu-west-1"
    error_message = "backup: not of bucket and database, or not copied"
  }
  assert {
    condition     = one([for r in aws_backup_plan.this[0].rule : one(r.lifecycle).delete_after]) == 20 && one([for r in aws_backup_plan.this[0].rule : one(one(r.copy_action).lifecycle).delete_after]) == 20
    error_message = "backup: kept for another time than said"
  }
}

run "backup_without_copy" {
  variables {
    bucket = { create = true }
    backup = { create = true }
  }
  assert {
    condition     = length(aws_backup_vault.copy) == 0 && length(aws_backup_selection.this[0].resources) == 1
    error_message = "backup: a copy that nobody asked for, or not of the bucket alone"
  }
}
