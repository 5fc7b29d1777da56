bucket       = "example-docmill-states-prod"
key          = "prod/us-east-1/cluster.tfstate"
region       = "us-east-1"
encrypt      = true
use_lockfile = true
