mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  environment = "dev"
  region      = "eu-central-1"
  cidr        = "10.10.0.0/16"
  zones       = ["eu-central-1a", "eu-central-1b"]
}

run "one_nat_for_all_and_endpoints" {
  variables {
    interface_endpoints = ["sqs"]
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route_table.private) == 2 && length(aws_vpc_endpoint.interface) == 1
    error_message = "not one NAT gateway, a route table a zone, and the endpoint asked for"
  }
  assert {
    condition     = toset([for s in concat(values(aws_subnet.private), values(aws_subnet.public)) : s.cidr_block]) == toset(["10.10.0.0/20", "10.10.16.0/20", "10.10.128.0/20", "10.10.144.0/20"])
    error_message = "subnets are not where they should be"
  }
}

run "nat_a_zone_and_no_flow_log" {
  variables {
    nat_gateways  = 2
    flow_log_days = 0
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 2 && length(aws_flow_log.this) + length(aws_iam_role.flow) == 0
    error_message = "not a NAT gateway a zone, or a flow log that nobody asked for"
  }
}

run "cidr_too_small" {
  command = plan
  variables {
    cidr = "10.10.0.0/24"
  }
  expect_failures = [var.cidr]
}

run "one_zone" {
  command = plan
  variables {
    zones = ["eu-central-1a"]
  }
  expect_failures = [var.zones]
}

run "nat_in_between" {
  command = plan
  variables {
    zones        = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    nat_gateways = 2
  }
  expect_failures = [var.nat_gateways]
}

run "environment_unknown" {
  command = plan
  variables {
    environment         = "preprod"
    region              = "Frankfurt"
    tags                = { "aws:owner" = "team" }
    interface_endpoints = ["com.amazonaws.eu-central-1.sqs"]
    flow_log_days       = 45
  }
  expect_failures = [var.environment, var.region, var.tags, var.interface_endpoints, var.flow_log_days]
}
