# Example names and ids (account 444444444444): put yours. Ids come from the outputs of the layers before.

environment = "prod"
region      = "us-east-1"
tags        = { owner = "platform" }

vpc_id                    = "vpc-0123456789abcdef0"
private_subnet_ids        = ["subnet-0000000000000000a", "subnet-0000000000000000b"]
cluster_name              = "platform-prod"
cluster_security_group_id = "sg-0123456789abcdef0"
permissions_boundary_arn  = "arn:aws:iam::444444444444:policy/docmill-boundary"
budget_emails             = ["docmill@example.com"]
alarm_topic_arns          = ["arn:aws:sns:us-east-1:444444444444:on-call"]
replica_region            = "us-west-2"
replica_kms_key_arn       = "arn:aws:kms:us-west-2:444444444444:key/11111111-2222-3333-4444-555555555555"
