# Example names and ids (account 222222222222): put yours. Ids come from the outputs of the layers before.

environment = "qa"
region      = "us-east-1"
tags        = { owner = "platform" }

private_subnet_ids = ["subnet-0000000000000000a", "subnet-0000000000000000b"]
admin_role_arns    = { platform = "arn:aws:iam::222222222222:role/platform-admin" }
log_days           = 7
