# The terraform ruleset, whole. The AWS ruleset is a plugin that tflint would fetch from GitHub: left out, and README.md says so.
plugin "terraform" {
  enabled = true
  preset  = "all"
}
# Files are named by what they make (s3.tf, sqs.tf), not main, variables and outputs alone.
rule "terraform_standard_module_structure" {
  enabled = false
}
