# Example names and ids (account 222222222222): put yours. Ids come from the outputs of the layers before.

environment = "qa"
region      = "us-east-1"
tags        = { owner = "platform" }

cidr          = "10.20.0.0/16"
zones         = ["us-east-1a", "us-east-1b"]
nat_gateways  = 1
flow_log_days = 7
