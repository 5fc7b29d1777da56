variable "create" {
  description = "Whether to make the namespace. Off by default: where Argo CD runs, namespaces, quotas and policies are its."
  type        = bool
  default     = false
  nullable    = false
}

variable "name" {
  description = "Name of the namespace."
  type        = string
  nullable    = false
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.name)) && !startswith(var.name, "kube-")
    error_message = "name must be 1 to 63 characters of a-z, 0-9 and '-', and not begin with kube-, which Kubernetes reserves."
  }
}

variable "environment" {
  description = "Environment: dev, qa, staging (= preprod) or prod."
  type        = string
  nullable    = false
  validation {
    condition     = contains(["dev", "qa", "staging", "prod"], var.environment)
    error_message = "environment must be dev, qa, staging or prod."
  }
}

variable "labels" {
  description = "Further labels of the namespace."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for v in values(var.labels) : can(regex("^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$", v))])
    error_message = "labels' values must be 63 characters at most of letters, digits, '.', '_' and '-', and begin and end with a letter or digit."
  }
}

variable "pod_security" {
  description = "Pod Security standard that is enforced: restricted, baseline or privileged."
  type        = string
  default     = "restricted"
  nullable    = false
  validation {
    condition     = contains(["restricted", "baseline", "privileged"], var.pod_security)
    error_message = "pod_security must be restricted, baseline or privileged."
  }
}

variable "admins" {
  description = "Groups with the cluster role `admin` in this namespace (it cannot change quota or the namespace itself)."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for g in var.admins : g != "" && !startswith(g, "system:")])
    error_message = "admins must be groups of people; Kubernetes' own (system:…) are not for a namespace to hand out."
  }
}

variable "viewers" {
  description = "Groups with the cluster role `view` in this namespace (it cannot read secrets)."
  type        = list(string)
  default     = []
  nullable    = false
  validation {
    condition     = alltrue([for g in var.viewers : g != "" && !startswith(g, "system:")])
    error_message = "viewers must be groups of people; Kubernetes' own (system:…) are not for a namespace to hand out."
  }
}

variable "quota" {
  description = "Hard limits of the namespace's ResourceQuota, as `\"requests.cpu\" = \"20\"`; empty for none."
  type        = map(string)
  default     = {}
  nullable    = false
  validation {
    condition     = alltrue([for v in values(var.quota) : can(regex("^[0-9.]+(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", v))])
    error_message = "quota's values must be Kubernetes quantities such as \"500m\", \"20\" or \"40Gi\"."
  }
}

variable "container_defaults" {
  description = "What a container that says nothing asks for (`requests`) and may use (`limits`): a quota refuses pods without."
  type = object({
    requests = optional(map(string), { cpu = "100m", memory = "128Mi" })
    limits   = optional(map(string), { memory = "256Mi" })
  })
  default  = {}
  nullable = false
  validation {
    condition     = alltrue([for v in concat(values(var.container_defaults.requests), values(var.container_defaults.limits)) : can(regex("^[0-9.]+(m|k|M|G|T|Ki|Mi|Gi|Ti)?$", v))])
    error_message = "container_defaults must be Kubernetes quantities such as \"100m\" or \"128Mi\"."
  }
}
