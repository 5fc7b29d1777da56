################################################################################
# Application load balancer; pods join its target groups by TargetGroupBinding
################################################################################

resource "aws_lb" "this" {
  #checkov:skip=CKV2_AWS_76:which rules the firewall has is its owner's: web_acl_arn
  #checkov:skip=CKV_AWS_91:access_log_bucket is the caller's
  #checkov:skip=CKV2_AWS_28:web_acl_arn is the caller's
  #checkov:skip=CKV_AWS_150:deletion protection is on in staging and prod
  count = local.create_alb ? 1 : 0

  region                     = local.region
  name                       = local.name
  load_balancer_type         = "application"
  internal                   = var.load_balancer.internal
  subnets                    = var.load_balancer.internal ? var.network.private_subnet_ids : var.load_balancer.public_subnet_ids
  security_groups            = [aws_security_group.load_balancer[0].id]
  drop_invalid_header_fields = true
  enable_deletion_protection = local.protected
  # Event streams and slow uploads are silent for longer than the default minute.
  idle_timeout = var.load_balancer.idle_seconds
  dynamic "access_logs" {
    for_each = var.load_balancer.access_log_bucket[*]
    content {
      enabled = true
      bucket  = access_logs.value
      prefix  = local.name
    }
  }
  tags = local.tags
}

resource "aws_lb_listener" "https" {
  count = local.create_alb ? 1 : 0

  region            = local.region
  load_balancer_arn = aws_lb.this[0].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.load_balancer.certificate_arn
  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
      message_body = "no route has this path"
    }
  }
  tags = local.tags
}

resource "aws_lb_target_group" "this" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; pods are reached inside the VPC through a security group of theirs
  for_each = local.create_alb ? var.load_balancer.routes : {}

  region               = local.region
  name_prefix          = "${substr(var.service_name, 0, 2)}${substr(var.environment, 0, 1)}-"
  vpc_id               = var.network.vpc_id
  target_type          = "ip"
  port                 = each.value.port
  protocol             = "HTTP"
  deregistration_delay = 30
  health_check {
    path                = each.value.health_path
    matcher             = "200"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
  tags = merge(local.tags, { route = each.key })
  # A target group in use cannot be deleted before its rule points elsewhere.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener_rule" "this" {
  for_each = local.create_alb ? var.load_balancer.routes : {}

  region       = local.region
  listener_arn = aws_lb_listener.https[0].arn
  priority     = each.value.priority
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
  condition {
    path_pattern {
      values = each.value.paths
    }
  }
  tags = merge(local.tags, { route = each.key })
}

resource "aws_wafv2_web_acl_association" "this" {
  count = local.create_alb && var.load_balancer.web_acl_arn != null ? 1 : 0

  region       = local.region
  resource_arn = aws_lb.this[0].arn
  web_acl_arn  = var.load_balancer.web_acl_arn
}
