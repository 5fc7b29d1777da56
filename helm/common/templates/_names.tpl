{{/*
Every template of this library takes one dict:
  root       the chart's root context ($)
  component  what this workload is in its chart ("api"); empty where the chart is one workload
  spec       the workload's values; helm/microservice/values.yaml documents each key
Templates that render an object open it with `---` and render nothing when it is off,
so that a caller includes them one after the other.
*/}}

{{/* The release's name, with the chart's unless it is contained already. 40 characters leave room for suffixes. */}}
{{- define "common.fullname" -}}
{{- $name := .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of one component's objects. */}}
{{- define "common.name" -}}
{{- include "common.fullname" .root -}}{{- with .component }}-{{ . }}{{ end -}}
{{- end -}}

{{/* The labels a selector may use: they never change between versions. */}}
{{- define "common.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* A pod's labels: without the chart's version, so that a new chart alone restarts nothing. */}}
{{- define "common.podLabels" -}}
{{ include "common.selector" . }}
app.kubernetes.io/version: {{ include "common.tag" .root | quote }}
docmill.io/env: {{ .root.Values.global.env }}
{{- end -}}

{{- define "common.labels" -}}
{{ include "common.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (replace "+" "_" .root.Chart.Version) }}
{{- end -}}

{{/* The version that is deployed, as a label's value. */}}
{{- define "common.tag" -}}
{{- $tag := .Chart.AppVersion -}}
{{- with .Values.image -}}{{- $tag = .tag | default $tag -}}{{- end -}}
{{- regexReplaceAll "[^A-Za-z0-9._-]" $tag "-" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "common.metadata" -}}
metadata:
  name: {{ .name | default (include "common.name" .) }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
{{- end -}}

{{/* An image's full name: registry (the global one wins), repository, and the digest where there is one. */}}
{{- define "common.image" -}}
{{- $image := .spec.image -}}
{{- $registry := .root.Values.global.imageRegistry | default $image.registry -}}
{{- with $registry -}}{{ trimSuffix "/" . }}/{{- end -}}
{{- required (printf "%simage.repository: name the image" (include "common.path" .)) $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ $image.tag | default .root.Chart.AppVersion }}{{- end -}}
{{- end -}}

{{/* Where a workload's values stand, for messages: "api." or nothing. */}}
{{- define "common.path" -}}
{{- with .component }}{{ . }}.{{ end -}}
{{- end -}}

{{- define "common.serviceAccountName" -}}
{{- $account := .spec.serviceAccount -}}
{{- if $account.create -}}
{{- $account.name | default (include "common.name" .) -}}
{{- else -}}
{{- required (printf "%sserviceAccount.name: name the account, or set %sserviceAccount.create" (include "common.path" .) (include "common.path" .)) $account.name -}}
{{- end -}}
{{- end -}}
