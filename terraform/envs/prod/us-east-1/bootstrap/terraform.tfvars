# Example names and ids (account 444444444444): put yours. Ids come from the outputs of the layers before.

environment = "prod"
region      = "us-east-1"
tags        = { owner = "platform" }

state_bucket = "example-docmill-states-prod"
repository   = "example/docmill"
regions      = ["us-east-1", "us-west-2"]
