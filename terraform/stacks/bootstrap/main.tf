# What must be there before anything else: where states are kept, and who may plan and apply. The first time its own state
# has no bucket to stand in; README.md says how it gets there.

module "state" {
  source = "../../modules/state"

  bucket_name = var.state_bucket
  region      = var.region
}

module "github" {
  source = "../../modules/github-oidc"

  repository   = var.repository
  service_name = var.service_name
  state_bucket = var.state_bucket
  environments = { (var.environment) = { regions = length(var.regions) > 0 ? var.regions : [var.region] } }
}

output "state_bucket" {
  description = "For every backend.hcl of this account."
  value       = module.state.bucket_name
}

output "plan_role_arn" {
  description = "Role for pull requests' plans."
  value       = module.github.plan_role_arn
}

output "apply_role_arns" {
  description = "Role for applies, by environment."
  value       = module.github.apply_role_arns
}

output "permissions_boundary_arn" {
  description = "For the service layer."
  value       = module.github.boundary_arn
}
