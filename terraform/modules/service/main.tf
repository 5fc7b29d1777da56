data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name       = "${var.service_name}-${var.environment}"
  region     = coalesce(var.region, data.aws_region.current.region)
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
  protected  = coalesce(var.deletion_protection, contains(["staging", "prod"], var.environment))

  tags = merge({
    service     = var.service_name
    environment = var.environment
    managed-by  = "terraform"
  }, var.tags)

  # Policies name things by ARNs made of names, not by attributes: so that a plan shows the whole policy before anything exists.
  bucket_name = coalesce(var.bucket.name, "${local.name}-${local.account_id}-${local.region}")
  bucket_arn  = "arn:${local.partition}:s3:::${local.bucket_name}"
  queue_arns  = { for name in keys(var.queues) : name => "arn:${local.partition}:sqs:${local.region}:${local.account_id}:${local.name}-${name}" }
  secret_name = { for name in keys(var.secrets) : name => "${local.name}/${name}" }
}
