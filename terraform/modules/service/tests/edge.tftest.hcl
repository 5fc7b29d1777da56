# Load balancer, DNS, logs, alarms, budget, roles: each toggle, and the shape of what it makes.

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
    client_security_groups = { cluster = "sg-1" }
  }
}

run "load_balancer" {
  variables {
    load_balancer = {
      create          = true
      certificate_arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
      ingress_cidrs   = ["10.0.0.0/8", "192.168.0.0/16"]
      routes = {
        api  = { priority = 10, paths = ["/v1/*"] }
        page = { priority = 20, paths = ["/*"], port = 8081, health_path = "/livez" }
      }
    }
  }
  assert {
    condition     = aws_lb.this[0].internal && aws_lb.this[0].drop_invalid_header_fields && aws_lb_listener.https[0].protocol == "HTTPS" && length(aws_wafv2_web_acl_association.this) == 0
    error_message = "load balancer: public, lax, or not TLS"
  }
  assert {
    condition     = aws_lb_listener_rule.this["page"].priority == 20 && one(one(aws_lb_listener_rule.this["api"].condition).path_pattern).values == toset(["/v1/*"]) && aws_lb_target_group.this["page"].target_type == "ip"
    error_message = "load balancer: wrong routes"
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_ingress_rule.load_balancer : "${r.cidr_ipv4}:${r.from_port}"]) == toset(["10.0.0.0/8:443", "192.168.0.0/16:443"])
    error_message = "load balancer: open to others, or on other ports"
  }
  assert {
    condition     = toset([for r in aws_vpc_security_group_egress_rule.load_balancer : "${r.referenced_security_group_id}:${r.from_port}"]) == toset(["sg-1:8080", "sg-1:8081"]) && toset([for r in aws_vpc_security_group_ingress_rule.pods : "${r.security_group_id}:${r.from_port}"]) == toset(["sg-1:8080", "sg-1:8081"])
    error_message = "load balancer: does not reach exactly its pods' ports"
  }
  assert {
    condition     = keys(output.load_balancer.target_group_arns) == ["api", "page"]
    error_message = "load balancer: no target group a route"
  }
}

run "public_load_balancer_behind_a_firewall" {
  variables {
    load_balancer = {
      create            = true
      internal          = false
      public_subnet_ids = ["subnet-x", "subnet-y"]
      certificate_arn   = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
      ingress_cidrs     = ["0.0.0.0/0"]
      web_acl_arn       = "arn:aws:wafv2:eu-central-1:123456789012:regional/webacl/a/1"
      access_log_bucket = "alb-logs"
      routes            = { api = { priority = 10, paths = ["/*"] } }
    }
  }
  assert {
    condition     = !aws_lb.this[0].internal && aws_lb.this[0].subnets == toset(["subnet-x", "subnet-y"]) && length(aws_wafv2_web_acl_association.this) == 1 && aws_lb.this[0].access_logs[0].bucket == "alb-logs"
    error_message = "load balancer: wrong subnets, no firewall or no logs"
  }
}

run "failover" {
  variables {
    failover = { create = true, zone_id = "Z1", name = "o.example.com", primary = "a.example.com", primary_zone_id = "ZALB", secondary = "b.example.com", health_path = "/livez" }
  }
  assert {
    condition     = aws_route53_health_check.primary[0].resource_path == "/livez" && aws_route53_record.failover["primary"].type == "A" && aws_route53_record.failover["primary"].alias[0].name == "a.example.com"
    error_message = "failover: the primary is no alias, or unchecked"
  }
  assert {
    condition     = aws_route53_record.failover["secondary"].type == "CNAME" && aws_route53_record.failover["secondary"].records == toset(["b.example.com"]) && aws_route53_record.failover["secondary"].failover_routing_policy[0].type == "SECONDARY"
    error_message = "failover: the secondary is wrong"
  }
}

run "logs_alarms_budget" {
  variables {
    queues   = { work = { max_age_alarm_seconds = 120 }, other = {} }
    database = { create = true }
    logs     = { create = true, retention_days = 14 }
    alarms   = { create = true, topic_arns = ["arn:aws:sns:eu-central-1:123456789012:t"] }
    budget   = { create = true, monthly_usd = 75, emails = ["a@example.com"] }
  }
  assert {
    condition     = aws_cloudwatch_log_group.this[0].name == "/dev/orders" && aws_cloudwatch_log_group.this[0].retention_in_days == 14
    error_message = "logs: wrong name or retention"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.queue_age) == 2 && aws_cloudwatch_metric_alarm.queue_age["work"].threshold == 120 && aws_cloudwatch_metric_alarm.dead_letters["work"].dimensions.QueueName == "orders-dev-work-dead"
    error_message = "alarms: not on age and dead letters of each queue"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.database_cpu) == 1 && length(aws_cloudwatch_metric_alarm.database_storage) == 1 && aws_cloudwatch_metric_alarm.queue_age["other"].alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:t"])
    error_message = "alarms: none on the database, or nobody is told"
  }
  assert {
    condition     = aws_budgets_budget.this[0].limit_amount == "75" && contains(flatten([for f in aws_budgets_budget.this[0].cost_filter : f.values]), "user:service$orders")
    error_message = "budget: wrong limit or filter"
  }
}

run "aurora_has_no_storage_alarm" {
  command = plan
  variables {
    database = { create = true, engine = "aurora-postgresql" }
    alarms   = { create = true }
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.database_storage) == 0 && aws_cloudwatch_metric_alarm.database_cpu[0].dimensions == tomap({ DBClusterIdentifier = "orders-dev" })
    error_message = "alarms: aurora's are RDS's"
  }
}

run "roles_by_pod_identity" {
  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/b"
    bucket                   = { create = true }
    queues                   = { work = {} }
    workload_identity        = { kind = "pod_identity", cluster_name = "c1", namespace = "orders" }
    components               = { api = { bucket = "write", send = ["work"] }, idle = { service_account = "lazy" } }
  }
  assert {
    condition     = aws_iam_role.component["api"].name == "orders-dev-api" && aws_iam_role.component["api"].permissions_boundary == var.permissions_boundary_arn
    error_message = "roles: wrong name or boundary"
  }
  assert {
    condition     = aws_eks_pod_identity_association.component["api"].service_account == "orders-api" && aws_eks_pod_identity_association.component["idle"].service_account == "lazy" && length(output.roles["api"].annotations) == 0
    error_message = "roles: not associated with the service account"
  }
  assert {
    condition     = keys(aws_iam_role_policy.component) == ["api"]
    error_message = "roles: a component without rights got a policy"
  }
}

run "roles_by_irsa" {
  variables {
    bucket            = { create = true }
    workload_identity = { kind = "irsa", oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/1", namespace = "orders" }
    components        = { api = { bucket = "read" } }
  }
  assert {
    condition     = jsondecode(aws_iam_role.component["api"].assume_role_policy).Statement[0].Condition.StringEquals["oidc.example.com/id/1:sub"] == "system:serviceaccount:orders:orders-api"
    error_message = "roles: another service account could take this one"
  }
  assert {
    condition     = length(aws_eks_pod_identity_association.component) == 0 && keys(output.roles["api"].annotations) == ["eks.amazonaws.com/role-arn"]
    error_message = "roles: IRSA needs an annotation and no association"
  }
}

run "no_roles_without_identity" {
  command = plan
  variables {
    components = { api = {} }
  }
  assert {
    condition     = length(aws_iam_role.component) == 0
    error_message = "roles: made although no pod can take them"
  }
}

run "tags_and_protection_by_hand" {
  variables {
    environment         = "prod"
    deletion_protection = false
    tags                = { team = "a" }
    bucket              = { create = true }
  }
  assert {
    condition     = aws_s3_bucket.this[0].tags == tomap({ service = "orders", environment = "prod", managed-by = "terraform", team = "a" }) && !strcontains(aws_s3_bucket_policy.this[0].policy, "NeverDeleted")
    error_message = "tags are missing, or deletion_protection = false is not taken"
  }
}
