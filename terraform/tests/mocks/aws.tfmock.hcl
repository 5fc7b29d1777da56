# What a mocked AWS answers, in forms that the real provider's own validation accepts. One account, one region, and one
# ARN for all resources of a type: what depends on which of them is meant is tested by policies, which name things by name.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012", arn = "arn:aws:iam::123456789012:root" }
}
mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}
mock_data "aws_region" {
  defaults = { region = "eu-central-1", id = "eu-central-1" }
}
mock_data "aws_availability_zones" {
  defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555", key_id = "11111111-2222-3333-4444-555555555555" }
}
mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::mocked" }
}
mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:mocked", id = "https://sqs.eu-central-1.amazonaws.com/123456789012/mocked", url = "https://sqs.eu-central-1.amazonaws.com/123456789012/mocked" }
}
mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
}
mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/mocked" }
}
mock_resource "aws_db_instance" {
  defaults = {
    arn                = "arn:aws:rds:eu-central-1:123456789012:db:mocked"
    address            = "mocked.rds.example.com"
    resource_id        = "db-MOCKED"
    master_user_secret = [{ kms_key_id = "", secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-mocked", secret_status = "active" }]
  }
}
mock_resource "aws_rds_cluster" {
  defaults = {
    arn                 = "arn:aws:rds:eu-central-1:123456789012:cluster:mocked"
    endpoint            = "mocked.cluster.example.com"
    reader_endpoint     = "mocked.cluster-ro.example.com"
    cluster_resource_id = "cluster-MOCKED"
    master_user_secret  = [{ kms_key_id = "", secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!cluster-mocked", secret_status = "active" }]
  }
}
mock_resource "aws_lb" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mocked/50dc6c495c0c9188" }
}
mock_resource "aws_lb_listener" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/mocked/50dc6c495c0c9188/f2f7dc8efc522ab2" }
}
mock_resource "aws_lb_target_group" {
  defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mocked/73e2d6bc24d8a067" }
}
mock_resource "aws_backup_vault" {
  defaults = { arn = "arn:aws:backup:eu-west-1:123456789012:backup-vault:mocked" }
}
mock_resource "aws_eks_cluster" {
  defaults = {
    arn        = "arn:aws:eks:eu-central-1:123456789012:cluster/mocked"
    identity   = [{ oidc = [{ issuer = "https://oidc.eks.eu-central-1.amazonaws.com/id/MOCKED" }] }]
    vpc_config = { cluster_security_group_id = "sg-0123456789abcdef0" }
  }
}
mock_resource "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}
mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:mocked" }
}
mock_resource "aws_vpc" {
  defaults = { id = "vpc-0123456789abcdef0" }
}
