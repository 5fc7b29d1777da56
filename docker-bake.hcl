# docmill's images, all at once: `make images`. REGISTRY (with a slash at its end), TAG, VERSION and COMMIT come from the environment.
variable "REGISTRY" { default = "" }
variable "TAG" { default = "local" }
variable "VERSION" { default = "0.1.0" }
variable "COMMIT" { default = "" }

group "default" { targets = ["docmill", "api", "worker", "provision"] }

target "all" { args = { VERSION = VERSION, COMMIT = COMMIT } }

target "docmill" {
  inherits = ["all"]
  target   = "docmill"
  tags     = ["${REGISTRY}docmill/docmill:${TAG}"]
}
target "api" {
  inherits = ["all"]
  target   = "api"
  tags     = ["${REGISTRY}docmill/docmill-api:${TAG}"]
}
target "worker" {
  inherits = ["all"]
  target   = "worker"
  tags     = ["${REGISTRY}docmill/docmill-worker:${TAG}"]
}
target "provision" {
  inherits = ["all"]
  target   = "provision"
  tags     = ["${REGISTRY}docmill/docmill-provision:${TAG}"]
}
