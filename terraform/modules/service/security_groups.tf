################################################################################
# Security groups: clients → database and cache; the world → load balancer → clients
################################################################################

locals {
  create_alb = var.create && var.load_balancer.create
  # Ports that the load balancer reaches pods on, by each group the pods are in.
  alb_to_pods = { for pair in setproduct(keys(var.network.client_security_groups), distinct([for r in var.load_balancer.routes : r.port])) : "${pair[0]}-${pair[1]}" => { group = pair[0], port = pair[1] } }
}

resource "aws_security_group" "database" {
  count = local.create_database ? 1 : 0

  region      = local.region
  name_prefix = "${local.name}-db-"
  description = "PostgreSQL of ${local.name}"
  vpc_id      = var.network.vpc_id
  tags        = merge(local.tags, { Name = "${local.name}-db" })
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each = local.create_database ? var.network.client_security_groups : {}

  region                       = local.region
  security_group_id            = aws_security_group.database[0].id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_security_group" "cache" {
  count = local.create_cache ? 1 : 0

  region      = local.region
  name_prefix = "${local.name}-cache-"
  description = "Valkey of ${local.name}"
  vpc_id      = var.network.vpc_id
  tags        = merge(local.tags, { Name = "${local.name}-cache" })
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "cache" {
  for_each = local.create_cache ? var.network.client_security_groups : {}

  region                       = local.region
  security_group_id            = aws_security_group.cache[0].id
  description                  = "Valkey from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_security_group" "load_balancer" {
  count = local.create_alb ? 1 : 0

  region      = local.region
  name_prefix = "${local.name}-alb-"
  description = "load balancer of ${local.name}"
  vpc_id      = var.network.vpc_id
  tags        = merge(local.tags, { Name = "${local.name}-alb" })
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  for_each = local.create_alb ? toset(var.load_balancer.ingress_cidrs) : []

  region            = local.region
  security_group_id = aws_security_group.load_balancer[0].id
  description       = "HTTPS from ${each.value}"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "load_balancer" {
  for_each = local.create_alb ? local.alb_to_pods : {}

  region                       = local.region
  security_group_id            = aws_security_group.load_balancer[0].id
  description                  = "to pods in ${each.value.group}"
  referenced_security_group_id = var.network.client_security_groups[each.value.group]
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "pods" {
  for_each = local.create_alb ? local.alb_to_pods : {}

  region                       = local.region
  security_group_id            = var.network.client_security_groups[each.value.group]
  description                  = "from ${local.name}'s load balancer"
  referenced_security_group_id = aws_security_group.load_balancer[0].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}
