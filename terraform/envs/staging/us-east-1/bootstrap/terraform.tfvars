# Example names and ids (account 333333333333): put yours. Ids come from the outputs of the layers before.

environment = "staging"
region      = "us-east-1"
tags        = { owner = "platform" }

state_bucket = "example-docmill-states-staging"
repository   = "example/docmill"
