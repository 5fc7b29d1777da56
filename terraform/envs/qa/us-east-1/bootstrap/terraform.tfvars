# Example names and ids (account 222222222222): put yours. Ids come from the outputs of the layers before.

environment = "qa"
region      = "us-east-1"
tags        = { owner = "platform" }

state_bucket = "example-docmill-states-qa"
repository   = "example/docmill"
