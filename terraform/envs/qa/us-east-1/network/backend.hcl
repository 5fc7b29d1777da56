bucket       = "example-docmill-states-qa"
key          = "qa/us-east-1/network.tfstate"
region       = "us-east-1"
encrypt      = true
use_lockfile = true
