output "plan_role_arn" {
  description = "ARN of the role for plans; null without one."
  value       = one(aws_iam_role.plan[*].arn)
}

output "apply_role_arns" {
  description = "By environment: ARN of the role for applies."
  value       = { for env, role in aws_iam_role.apply : env => role.arn }
}

output "boundary_arn" {
  description = "ARN of the permissions boundary, for `permissions_boundary_arn` of modules/service: apply roles can make no role without it."
  value       = local.boundary_arn
}
