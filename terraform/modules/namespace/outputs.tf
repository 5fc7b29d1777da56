output "name" {
  description = "Name of the namespace; null where it was not made."
  value       = one(kubernetes_namespace_v1.this[*].metadata[0].name)
}
