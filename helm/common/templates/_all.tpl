{{/* Everything one workload is on the platform. */}}
{{- define "common.all" -}}
{{- include "common.serviceAccount" . }}
{{- include "common.files" . }}
{{- include "common.service" . }}
{{- include "common.workload" . }}
{{- include "common.analysis" . }}
{{- include "common.hpa" . }}
{{- include "common.keda" . }}
{{- include "common.pdb" . }}
{{- include "common.networkPolicy" . }}
{{- include "common.gateway" . }}
{{- include "common.httpRoute" . }}
{{- include "common.ingress" . }}
{{- include "common.targetGroupBinding" . }}
{{- include "common.monitor" . }}
{{- end -}}
