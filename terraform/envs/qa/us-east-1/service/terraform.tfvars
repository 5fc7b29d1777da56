# Example names and ids (account 222222222222): put yours. Ids come from the outputs of the layers before.

environment = "qa"
region      = "us-east-1"
tags        = { owner = "platform" }

vpc_id                    = "vpc-0123456789abcdef0"
private_subnet_ids        = ["subnet-0000000000000000a", "subnet-0000000000000000b"]
cluster_name              = "platform-qa"
cluster_security_group_id = "sg-0123456789abcdef0"
permissions_boundary_arn  = "arn:aws:iam::222222222222:policy/docmill-boundary"
budget_emails             = ["docmill@example.com"]
