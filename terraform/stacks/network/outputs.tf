output "vpc_id" {
  description = "For the cluster and service layers."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "For the cluster and service layers, one a zone."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "For public load balancers, one a zone."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}
