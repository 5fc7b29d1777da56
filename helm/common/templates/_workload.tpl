{{/* Whether something else than this chart sets the number of replicas. */}}
{{- define "common.scaled" -}}
{{- if or .spec.hpa.enabled .spec.keda.enabled }}true{{ end -}}
{{- end -}}

{{/* The fewest replicas that are meant to run. */}}
{{- define "common.minReplicas" -}}
{{- if .spec.keda.enabled -}}{{ .spec.keda.minReplicas }}
{{- else if .spec.hpa.enabled -}}{{ .spec.hpa.minReplicas }}
{{- else -}}{{ .spec.replicas }}{{- end -}}
{{- end -}}

{{- define "common.apiVersion" -}}
{{- if eq .spec.kind "Rollout" }}argoproj.io/v1alpha1{{ else }}apps/v1{{ end -}}
{{- end -}}

{{/* A Deployment, a Rollout (needs Argo Rollouts) or, where one pod owns a volume, a StatefulSet. */}}
{{- define "common.workload" -}}
{{- if and .spec.hpa.enabled .spec.keda.enabled -}}
{{- fail (printf "%shpa.enabled and %skeda.enabled: both would set the replicas; choose one" (include "common.path" .) (include "common.path" .)) -}}
{{- end }}
---
apiVersion: {{ include "common.apiVersion" . }}
kind: {{ .spec.kind }}
{{ include "common.metadata" . }}
spec:
  {{- if not (include "common.scaled" .) }}
  replicas: {{ .spec.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
  revisionHistoryLimit: 5
  {{- if eq .spec.kind "StatefulSet" }}
  serviceName: {{ include "common.operations" . | default (include "common.name" .) }}
  persistentVolumeClaimRetentionPolicy:
    whenDeleted: Retain
    whenScaled: Retain
  volumeClaimTemplates:
    {{- toYaml .spec.volumeClaimTemplates | nindent 4 }}
  {{- else }}
  progressDeadlineSeconds: 600
  strategy:
    {{- if eq .spec.kind "Rollout" }}
    canary:
      {{- include "common.canary" . | nindent 6 }}
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 25%
    {{- end }}
  {{- end }}
  template:
    {{- include "common.pod" . | nindent 4 }}
{{- end -}}

{{/* Steps of a canary: the analysis runs after each weight; without a pass it never goes on. */}}
{{- define "common.canary" -}}
maxUnavailable: 0
maxSurge: 25%
{{- with include "common.canaryService" . }}
# No stableService: the main Service keeps meeting all pods, so that clients' requests reach canaries by their share.
canaryService: {{ . }}
{{- end }}
steps:
  {{- range .spec.rollout.weights }}
  - setWeight: {{ . }}
  - analysis:
      templates:
        - templateName: {{ include "common.name" $ }}
  {{- end }}
{{- end -}}

{{/* What a canary must show: a job that ends well, then rates of Prometheus; no data is inconclusive, which holds the rollout. */}}
{{- define "common.analysis" -}}
{{- if eq .spec.kind "Rollout" }}
{{- if not (or .spec.rollout.job .spec.rollout.queries) -}}
{{- fail (printf "%srollout: a Rollout needs a job or queries to judge its canary by; or set %skind to Deployment" (include "common.path" .) (include "common.path" .)) -}}
{{- end }}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
{{ include "common.metadata" . }}
spec:
  metrics:
    {{- with .spec.rollout.job }}
    - name: job
      provider:
        job:
          {{- toYaml . | nindent 10 }}
    {{- end }}
    {{- range $name, $query := .spec.rollout.queries }}
    - name: {{ $name }}
      initialDelay: {{ $query.delay | default "2m" }}
      interval: 30s
      count: {{ $query.count | default 4 }}
      successCondition: len(result) > 0 && result[0] {{ $query.pass }}
      failureCondition: len(result) > 0 && !(result[0] {{ $query.pass }})
      inconclusiveLimit: 0
      provider:
        prometheus:
          address: {{ required (printf "%srollout.prometheus: the queries need Prometheus' address" (include "common.path" $)) $.spec.rollout.prometheus }}
          query: {{ $query.query | quote }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "common.pdb" -}}
{{- if gt (int (include "common.minReplicas" .)) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "common.metadata" . }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "common.serviceAccount" -}}
{{- if .spec.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
{{ include "common.metadata" (merge (dict "name" (include "common.serviceAccountName" .)) .) }}
  {{- with .spec.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end -}}

{{- define "common.files" -}}
{{- if .spec.files }}
---
apiVersion: v1
kind: ConfigMap
{{ include "common.metadata" (merge (dict "name" (printf "%s-files" (include "common.name" .))) .) }}
data:
  {{- toYaml .spec.files | nindent 2 }}
{{- end }}
{{- end -}}
