# Example names and ids (account 111111111111): put yours. Ids come from the outputs of the layers before.

environment = "dev"
region      = "us-east-1"
tags        = { owner = "platform" }

state_bucket = "example-docmill-states-dev"
repository   = "example/docmill"
