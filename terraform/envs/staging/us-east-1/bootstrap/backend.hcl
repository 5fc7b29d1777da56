bucket       = "example-docmill-states-staging"
key          = "staging/us-east-1/bootstrap.tfstate"
region       = "us-east-1"
encrypt      = true
use_lockfile = true
