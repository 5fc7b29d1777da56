mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  environment               = "dev"
  region                    = "eu-central-1"
  vpc_id                    = "vpc-1"
  private_subnet_ids        = ["subnet-a", "subnet-b"]
  cluster_name              = "platform-dev"
  cluster_security_group_id = "sg-1"
}

run "values_for_the_chart" {
  assert {
    condition     = output.values.global == { env = "dev", provider = "eks" } && startswith(output.config_toml, "[blob]")
    error_message = "the chart is told nothing"
  }
}

run "environment_unknown" {
  command = plan
  variables {
    environment               = "preprod"
    vpc_id                    = "platform-dev"
    private_subnet_ids        = ["subnet-a"]
    cluster_name              = "arn:aws:eks:eu-central-1:123456789012:cluster/platform-dev"
    cluster_security_group_id = "cluster"
  }
  expect_failures = [var.environment, var.vpc_id, var.private_subnet_ids, var.cluster_name, var.cluster_security_group_id]
}
