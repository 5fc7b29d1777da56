{{/*
The Service that clients use; a Rollout has a second one, within the cluster, that meets the canary's pods alone. The
port of the metrics, where it is one of its own, stays off them: a headless Service serves it, of all pods, ready or
not, whatever a Rollout makes of the others.
*/}}
{{- define "common.service" -}}
{{- if and .spec.service.enabled (include "common.clientPorts" . | fromYaml) }}
---
apiVersion: v1
kind: Service
{{ include "common.metadata" . }}
    {{- if not (include "common.operations" .) }}
    docmill.io/scrape: "true"
    {{- end }}
  {{- with .spec.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .spec.service.type }}
  selector:
    {{- include "common.selector" . | nindent 4 }}
  ports:
    {{- include "common.servicePorts" . | trim | nindent 4 }}
{{- with include "common.canaryService" . }}
---
apiVersion: v1
kind: Service
{{ include "common.metadata" (merge (dict "name" .) $) }}
# Argo Rollouts selects the canary's pods; a selector from here would take that back at each upgrade, or conflict with it.
spec:
  type: ClusterIP
  ports:
    {{- include "common.servicePorts" $ | trim | nindent 4 }}
{{- end }}
{{- end }}
{{- with include "common.operations" . }}
---
apiVersion: v1
kind: Service
{{ include "common.metadata" (merge (dict "name" .) $) }}
    docmill.io/scrape: "true"
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "common.selector" $ | nindent 4 }}
  ports:
    - name: {{ $.spec.monitor.port }}
      port: {{ get $.spec.ports $.spec.monitor.port }}
      targetPort: {{ $.spec.monitor.port }}
{{- end }}
{{- end -}}

{{/* The container's ports but that of the metrics, where it is one of its own: name to number. */}}
{{- define "common.clientPorts" -}}
{{- $ports := deepCopy .spec.ports -}}
{{- if include "common.operations" . -}}{{- $_ := unset $ports .spec.monitor.port -}}{{- end -}}
{{- toYaml $ports -}}
{{- end -}}

{{- define "common.servicePorts" -}}
{{- range $port, $number := include "common.clientPorts" . | fromYaml }}
- name: {{ $port }}
  port: {{ get ($.spec.service.ports | default dict) $port | default $number }}
  targetPort: {{ $port }}
{{- end }}
{{- end -}}

{{/* The name of the Service of the metrics' own port; nothing where clients' port serves them. */}}
{{- define "common.operations" -}}
{{- if ne .spec.monitor.port "http" -}}{{ include "common.name" . }}-{{ .spec.monitor.port }}{{- end -}}
{{- end -}}

{{/* The name of the Service of a canary's pods; nothing where there are no canaries or no clients. */}}
{{- define "common.canaryService" -}}
{{- if and (eq .spec.kind "Rollout") .spec.service.enabled (hasKey .spec.ports "http") -}}{{ include "common.name" . }}-canary{{- end -}}
{{- end -}}

{{/* The Service's port that routes lead to. */}}
{{- define "common.routePort" -}}
{{- get (.spec.service.ports | default dict) "http" | default .spec.ports.http -}}
{{- end -}}

{{/* Needs the Prometheus operator, for the kind ServiceMonitor; `annotations` are set on the pod. */}}
{{- define "common.monitor" -}}
{{- if eq .spec.monitor.kind "ServiceMonitor" }}
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
