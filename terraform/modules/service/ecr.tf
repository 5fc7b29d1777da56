################################################################################
# Image repositories
################################################################################

locals {
  repositories = var.create ? var.repositories : {}
}

resource "aws_ecr_repository" "this" {
  for_each = local.repositories

  region               = local.region
  name                 = "${var.service_name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = local.use_kms ? "KMS" : "AES256"
    kms_key         = local.kms_arn
  }
  tags = local.tags
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = local.repositories

  region     = local.region
  repository = aws_ecr_repository.this[each.key].name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "keep the newest ${each.value.keep}"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = each.value.keep }
      action       = { type = "expire" }
    }]
  })
}
