bucket       = "example-docmill-states-dev"
key          = "dev/us-east-1/cluster.tfstate"
region       = "us-east-1"
encrypt      = true
use_lockfile = true
