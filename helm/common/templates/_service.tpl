{{/* One Service for the workload; a Rollout has a second one that meets the canary's pods alone. */}}
{{- define "common.service" -}}
{{- if .spec.service.enabled }}
{{- $names := list (include "common.name" .) -}}
{{- if eq .spec.kind "Rollout" -}}{{- $names = append $names (printf "%s-canary" (include "common.name" .)) -}}{{- end -}}
{{- range $i, $name := $names }}
---
apiVersion: v1
kind: Service
{{ include "common.metadata" (merge (dict "name" $name) $) }}
    {{- if eq $i 0 }}
    docmill.io/scrape: "true"
    {{- end }}
  {{- with $.spec.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $.spec.service.type }}
  {{- if $.spec.service.headless }}
  clusterIP: None
  {{- end }}
  selector:
    {{- include "common.selector" $ | nindent 4 }}
  ports:
    {{- range $port, $number := $.spec.ports }}
    - name: {{ $port }}
      port: {{ get ($.spec.service.ports | default dict) $port | default $number }}
      targetPort: {{ $port }}
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The Service's port that routes lead to. */}}
{{- define "common.routePort" -}}
{{- get (.spec.service.ports | default dict) "http" | default .spec.ports.http -}}
{{- end -}}

{{/* Needs the Prometheus operator, for the kind ServiceMonitor; `annotations` are set on the pod. */}}
{{- define "common.monitor" -}}
{{- if and .spec.service.enabled (eq .spec.monitor.kind "ServiceMonitor") }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
{{ include "common.metadata" . }}
    {{- with .spec.monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      docmill.io/scrape: "true"
      {{- include "common.selector" . | nindent 6 }}
  endpoints:
    - port: {{ .spec.monitor.port }}
      path: {{ .spec.monitor.path }}
      interval: {{ .spec.monitor.interval }}
{{- end }}
{{- end -}}
