################################################################################
# Failover by DNS
################################################################################

locals {
  create_failover = var.create && var.failover.create
  failover_ends = local.create_failover ? {
    primary   = { target = var.failover.primary, zone_id = var.failover.primary_zone_id }
    secondary = { target = var.failover.secondary, zone_id = var.failover.secondary_zone_id }
  } : {}
}

resource "aws_route53_health_check" "primary" {
  count = local.create_failover ? 1 : 0

  type              = "HTTPS"
  fqdn              = var.failover.primary
  port              = 443
  resource_path     = var.failover.health_path
  request_interval  = 30
  failure_threshold = 3
  tags              = merge(local.tags, { Name = "${local.name}-primary" })
}

resource "aws_route53_record" "failover" {
  #checkov:skip=CKV2_AWS_23:what the names point at is the caller's: another region's load balancer, say
  for_each = local.failover_ends

  zone_id         = var.failover.zone_id
  name            = var.failover.name
  set_identifier  = each.key
  type            = each.value.zone_id == null ? "CNAME" : "A"
  ttl             = each.value.zone_id == null ? 60 : null
  records         = each.value.zone_id == null ? [each.value.target] : null
  health_check_id = each.key == "primary" ? aws_route53_health_check.primary[0].id : null
  failover_routing_policy {
    type = upper(each.key)
  }
  dynamic "alias" {
    for_each = each.value.zone_id[*]
    content {
      name                   = each.value.target
      zone_id                = alias.value
      evaluate_target_health = true
    }
  }
}
