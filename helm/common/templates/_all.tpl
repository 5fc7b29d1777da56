{{/* What a workload is not, unless its values say so. Nothing that may be 0: `merge` takes that for unsaid. */}}
{{- define "common.off" -}}
service: {enabled: false}
hpa: {enabled: false}
keda: {enabled: false}
httpRoute: {enabled: false}
gateway: {create: false}
ingress: {enabled: false}
{{- end -}}

{{/* Everything one workload is on the platform. */}}
{{- define "common.all" -}}
{{- $context := merge (dict "spec" (merge (deepCopy .spec) (include "common.off" . | fromYaml))) . -}}
{{- range list "serviceAccount" "files" "service" "workload" "analysis" "hpa" "keda" "pdb" "networkPolicy" "gateway" "httpRoute" "ingress" "targetGroupBinding" "monitor" -}}
{{- include (printf "common.%s" .) $context }}
{{- end -}}
{{- end -}}
