bucket       = "example-docmill-states-staging"
key          = "staging/us-east-1/network.tfstate"
region       = "us-east-1"
encrypt      = true
use_lockfile = true
