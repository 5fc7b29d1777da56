output "bucket_name" {
  description = "Name of the bucket, for every backend.hcl; null without one."
  value       = one(aws_s3_bucket.this[*].id)
}

output "bucket_arn" {
  description = "ARN of the bucket."
  value       = local.bucket_arn
}
