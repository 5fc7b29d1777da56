mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  environment        = "dev"
  region             = "eu-central-1"
  private_subnet_ids = ["subnet-a", "subnet-b"]
  admin_role_arns    = { platform = "arn:aws:iam::123456789012:role/admin" }
}

run "private_by_default" {
  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.deletion_protection
    error_message = "the API is public, or entered otherwise than by access entries, or dev is protected"
  }
}

run "public_to_some" {
  variables {
    environment         = "prod"
    public_access_cidrs = ["203.0.113.0/24"]
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.0/24"]) && aws_eks_cluster.this.deletion_protection
    error_message = "the API is not open to those named, or prod is not protected"
  }
}

run "public_to_all" {
  command = plan
  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "one_subnet" {
  command = plan
  variables {
    private_subnet_ids = ["subnet-a"]
  }
  expect_failures = [var.private_subnet_ids]
}

run "version_patch" {
  command = plan
  variables {
    kubernetes_version = "1.34.4"
  }
  expect_failures = [var.kubernetes_version]
}

run "nobody_may_enter" {
  command = plan
  variables {
    admin_role_arns = {}
  }
  expect_failures = [var.admin_role_arns]
}

run "environment_unknown" {
  command = plan
  variables {
    environment = "preprod"
    region      = "Frankfurt"
    tags        = { "aws:owner" = "team" }
    log_days    = 45
  }
  expect_failures = [var.environment, var.region, var.tags, var.log_days]
}
