{{/*
Peers where none are named: everything but link-local addresses, which hold clouds' credentials.
Some engines never match pods by an ipBlock, so pods are named apart.
*/}}
{{- define "common.anywhere" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [169.254.0.0/16]
- namespaceSelector: {}
{{- end -}}

{{/* Ports of a rule from a list of numbers. */}}
{{- define "common.policyPorts" -}}
ports:
  {{- range . }}
  - port: {{ . }}
    protocol: TCP
  {{- end }}
{{- end -}}

{{/* Egress beside the named rules: DNS, and the address at which a pod's cloud hands out credentials. */}}
{{- define "common.baseEgress" -}}
- to:
    {{- toYaml .root.Values.global.dns | nindent 4 }}
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- $provider := ternary .root.Values.global.provider "" .spec.network.cloudIdentity -}}
{{- if eq $provider "eks" }}
# EKS Pod Identity's agent
- to:
    - ipBlock:
        cidr: 169.254.170.23/32
  ports:
    - port: 80
      protocol: TCP
{{- else if eq $provider "gke" }}
# GKE's metadata server, by which Workload Identity hands out tokens; 988 where Dataplane V2 is off
- to:
    - ipBlock:
        cidr: 169.254.169.254/32
    - ipBlock:
        cidr: 169.254.169.252/32
  ports:
    - port: 80
      protocol: TCP
    - port: 988
      protocol: TCP
{{- end }}
{{- end -}}

{{/* Default deny both ways; then each named rule: ports, and peers where it names them. */}}
{{- define "common.networkPolicy" -}}
{{- if .root.Values.global.networkPolicy }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
{{ include "common.metadata" . }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- with .spec.network.ingress }}
  ingress:
    {{- range $name, $rule := . }}
    {{- if $rule }}
    # {{ $name }}
    - {{ include "common.policyPorts" $rule.ports | nindent 6 | trim }}
      {{- with $rule.peers }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- end }}
  {{- end }}
  egress:
    {{- include "common.baseEgress" . | nindent 4 }}
    {{- range $name, $rule := .spec.network.egress }}
    {{- if $rule }}
    # {{ $name }}
    - {{ include "common.policyPorts" $rule.ports | nindent 6 | trim }}
      to:
        {{- if $rule.peers }}
        {{- toYaml $rule.peers | nindent 8 }}
        {{- else }}
        {{- include "common.anywhere" . | nindent 8 }}
        {{- end }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}
