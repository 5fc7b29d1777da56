# Example names and ids (account 444444444444): put yours. Ids come from the outputs of the layers before.

environment = "prod"
region      = "us-east-1"
tags        = { owner = "platform" }

cidr          = "10.40.0.0/16"
zones         = ["us-east-1a", "us-east-1b", "us-east-1c"]
nat_gateways  = 3
flow_log_days = 90
