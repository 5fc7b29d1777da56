{{/* The triggers of the worker's ScaledObject. */}}
{{- define "docmill.triggers" -}}
{{- $keda := .root.Values.worker.keda -}}{{- $queue := .root.Values.config.queue -}}
{{- $permits := .permits | toString | quote -}}
{{- $api := printf "%s-api-ops.%s.svc:9464" (include "common.fullname" .root) .root.Release.Namespace -}}
{{- if has $keda.source (list "sqs" "nats" "rabbitmq") -}}
{{- if ne $keda.source $queue.kind -}}
{{- fail (printf "worker.keda.source: %s, but config.queue.kind is %s; name the broker that is used, or api" $keda.source $queue.kind) -}}
{{- end -}}
{{- end -}}
{{- if eq $keda.source "api" -}}
- type: metrics-api
  metricType: AverageValue
  metadata:
    url: http://{{ $api }}/v1/backlog
    valueLocation: backlog
    targetValue: {{ $permits }}
- type: metrics-api
  metricType: AverageValue
  metadata:
    url: http://{{ $api }}/v1/backlog
    valueLocation: oldest_due_seconds
    targetValue: {{ $keda.oldestSeconds | toString | quote }}
{{- else if eq $keda.source "prometheus" -}}
{{- $address := required "worker.keda.prometheus: source prometheus needs its address" $keda.prometheus -}}
{{- $in := printf "{namespace=%q}" .root.Release.Namespace -}}
- type: prometheus
  metricType: AverageValue
  metadata:
    serverAddress: {{ $address }}
    # Every program exports the same count of the same catalog.
    query: {{ printf "sum(max by (lane) (docmill_jobs_due%s + docmill_jobs_running%s))" $in $in | quote }}
    threshold: {{ $permits }}
    ignoreNullValues: "false"
- type: prometheus
  metricType: AverageValue
  metadata:
    serverAddress: {{ $address }}
    query: {{ printf "max(docmill_jobs_oldest_due_seconds%s)" $in | quote }}
    threshold: {{ $keda.oldestSeconds | toString | quote }}
    ignoreNullValues: "false"
{{- else -}}
{{- $metadata := list -}}
{{- if eq $keda.source "sqs" -}}
{{- range $url := list $queue.interactive_url $queue.bulk_url -}}
{{- $metadata = append $metadata (dict "queueURL" $url "awsRegion" $queue.region "queueLength" (toString $.permits) "scaleOnInFlight" "true") -}}
{{- end -}}
{{- else if eq $keda.source "nats" -}}
{{- $metadata = list (dict "stream" $queue.stream "lagThreshold" (toString .permits)) -}}
{{- else -}}
{{- $metadata = list (dict "mode" "QueueLength" "value" (toString .permits)) -}}
{{- end -}}
{{- $type := get (dict "sqs" "aws-sqs-queue" "nats" "nats-jetstream" "rabbitmq" "rabbitmq") $keda.source -}}
{{- range $metadata }}
- type: {{ $type }}
  metadata:
    {{- mergeOverwrite . (deepCopy $keda.metadata) | toYaml | nindent 4 }}
  {{- if $keda.authentication }}
  authenticationRef:
    name: {{ include "common.name" (dict "root" $.root "component" "worker") }}
  {{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The broker's depth does not count running jobs: wait for the longest before taking pods away. */}}
{{- define "docmill.cooldown" -}}
{{- $keda := .Values.worker.keda -}}
{{- if has $keda.source (list "api" "prometheus") -}}
{{- $keda.cooldownSeconds -}}
{{- else -}}
{{- max (int $keda.cooldownSeconds) (int .Values.config.extract.time_limit_seconds) -}}
{{- end -}}
{{- end -}}
