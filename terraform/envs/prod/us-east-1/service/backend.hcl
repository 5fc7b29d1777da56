bucket       = "example-docmill-states-prod"
key          = "prod/us-east-1/service.tfstate"
region       = "us-east-1"
encrypt      = true
use_lockfile = true
