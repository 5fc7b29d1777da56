{{/*
One program as a workload of the library chart: its values, then what all programs have in common, then what is its
own (`own`, a template's name). Lists of the parts are joined; the environment of the values wins.
*/}}
{{- define "docmill.workload" -}}
{{- $context := merge (dict "spec" (get .root.Values .component)) . -}}
{{- $spec := deepCopy $context.spec -}}
{{- $volumeMounts := list -}}
{{- range list (include "docmill.program" $context) (include "docmill.server" $context) (include .own .root) -}}
{{- $part := fromYaml . -}}
{{- with $part.Error -}}{{- fail . -}}{{- end -}}
{{- $volumeMounts = concat $volumeMounts ($part.volumeMounts | default list) -}}
{{- $spec = mergeOverwrite $spec $part -}}
{{- end -}}
{{- $_ := set $spec "volumeMounts" $volumeMounts -}}
{{- $_ := set $spec "env" (mergeOverwrite $spec.env (deepCopy $context.spec.env)) -}}
{{- include "common.all" (merge (dict "spec" $spec) .) -}}
{{- end -}}

{{/*
What all programs have in common, as values of a workload in YAML.
Takes root, component and spec (the component's values).
*/}}
{{- define "docmill.program" -}}
{{- $keys := include "docmill.secretKeys" . | fromJsonArray -}}
image:
  {{- merge (deepCopy .spec.image) .root.Values.image | toYaml | nindent 2 }}
env:
  DOCMILL_CONFIG: /etc/docmill/docmill.toml
  {{- range $keys }}
  DOCMILL_{{ . | upper | replace "." "__" }}_FILE: /run/secrets/docmill/{{ . }}
  {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "common.fullname" .root }}-config
  {{- if $keys }}
  - name: secrets
    secret:
      secretName: {{ include "common.secretName" (dict "root" .root "secrets" .root.Values.secrets) }}
      defaultMode: 0440
      items:
        {{- range $keys }}
        - key: {{ . }}
          path: {{ . }}
        {{- end }}
  {{- end }}
volumeMounts:
  - name: config
    mountPath: /etc/docmill
    readOnly: true
  {{- if $keys }}
  - name: secrets
    mountPath: /run/secrets/docmill
    readOnly: true
  {{- end }}
podAnnotations:
  checksum/config: {{ include "docmill.toml" .root | sha256sum | trunc 16 }}
serviceAccount:
  {{- merge (dict "create" .root.Values.serviceAccounts.create) (get .root.Values.serviceAccounts .component) | toYaml | nindent 2 }}
{{- with .root.Values.priorityClasses }}
{{- if and .create (hasKey . $.component) }}
priorityClassName: {{ include "docmill.priorityClass" $ }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The secret keys that reach one program. */}}
{{- define "docmill.secretKeys" -}}
{{- $own := list -}}
{{- range include "common.secretKeys" (dict "root" .root "secrets" .root.Values.secrets) | fromJsonArray -}}
{{- $section := splitList "." . | first -}}
{{- if or (eq $section $.component) (not (has $section (list "api" "worker" "provision" "smoke"))) (eq $.component "embedded") -}}
{{- $own = append $own . -}}
{{- end -}}
{{- end -}}
{{- toJson $own -}}
{{- end -}}

{{- define "docmill.priorityClass" -}}
{{ .root.Release.Namespace }}-{{ include "common.name" . }}
{{- end -}}

{{/* What only servers have: ports, probes on the operations port, metrics. */}}
{{- define "docmill.server" -}}
probes:
  startup:
    httpGet: {path: /livez, port: ops}
    periodSeconds: 1
    failureThreshold: 60
  liveness:
    httpGet: {path: /livez, port: ops}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readiness:
    httpGet: {path: /readyz, port: ops}
    periodSeconds: 2
    timeoutSeconds: 2
monitor:
  port: ops
  path: /metrics
  {{- .root.Values.monitor | toYaml | nindent 2 }}
{{- end -}}

{{/* Egress to what the configuration names. */}}
{{- define "docmill.egress" -}}
{{- $config := .Values.config -}}{{- $network := .Values.network -}}
{{- $ports := dict -}}
{{- if eq $config.catalog.kind "postgres" -}}{{- $_ := set $ports "catalog" ($config.catalog.port | default 5432) -}}{{- end -}}
{{- if eq $config.blob.kind "s3" -}}{{- $_ := set $ports "blob" (include "docmill.port" (dict "url" ($config.blob.endpoint | default "https://s3"))) -}}{{- end -}}
{{- if ne $config.queue.kind "memory" -}}
{{- $default := get (dict "sqs" "https://sqs" "nats" "nats://nats" "rabbitmq" "amqp://rabbitmq") $config.queue.kind -}}
{{- $_ := set $ports "queue" (include "docmill.port" (dict "url" ($config.queue.endpoint | default $config.queue.url | default $default))) -}}
{{- end -}}
{{- range $name, $port := mergeOverwrite $ports $network.ports }}
{{ $name }}:
  ports: [{{ $port }}]
  peers:
    {{- get $network $name | toYaml | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "docmill.webEgress" -}}
{{- if .Values.network.web }}
web:
  ports: [80, 443]
  peers:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
{{- end }}
{{- end -}}

{{/* Ingress: clients, the smoke test, Prometheus and KEDA. `clients` and `autoscaler` say which of them apply. */}}
{{- define "docmill.ingress" -}}
{{- $network := .root.Values.network -}}
{{- if .clients }}
clients:
  ports: [http]
  peers:
    {{- $network.clients | toYaml | nindent 4 }}
smoke:
  ports: [http]
  peers:
    - podSelector:
        matchLabels:
          {{- include "common.selector" (dict "root" .root "component" "smoke") | nindent 10 }}
{{- end }}
operations:
  ports: [ops]
  peers:
    {{- if $network.monitoring }}
    {{- concat $network.monitoring (ternary $network.autoscaler list .autoscaler) | toYaml | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "docmill.api" -}}
ports:
  http: 8080
  ops: 9464
tmpSize: 64Mi
preStopSeconds: 5
terminationGracePeriodSeconds: {{ add .Values.api.graceSeconds 10 }}
env:
  DOCMILL_LIFECYCLE__GRACE_SECONDS: {{ .Values.api.graceSeconds | toString | quote }}
service:
  enabled: true
network:
  cloudIdentity: true
  ingress:
    {{- include "docmill.ingress" (dict "root" . "clients" true "autoscaler" .Values.worker.keda.enabled) | nindent 4 }}
  egress:
    {{- include "docmill.egress" . | nindent 4 }}
    {{- include "docmill.webEgress" . | nindent 4 }}
rollout:
  job:
    {{- include "docmill.smokeJob" (dict "root" . "host" (printf "%s-api-canary" (include "common.fullname" .))) | nindent 4 }}
{{ .Values.route | toYaml }}
{{- end -}}

{{/*
The most documents a pod can hold at once, and the memory that follows: `base` + permits × child.
Takes root, component and spec with parentMiB and permits.
*/}}
{{- define "docmill.memory" -}}
{{- $child := int .root.Values.config.extract.memory_limit_mib -}}
{{- $least := add .spec.parentMiB $child -}}
{{- $resources := include "common.resources" (merge (dict "atLeastMiB" $least) .) | fromYaml -}}
{{- $limit := $resources.limits.memory -}}
{{- $mib := include "common.mib" (dict "value" $limit "key" (printf "%s.resources.limits.memory" .component)) | int -}}
{{- $room := div (sub $mib (int .spec.parentMiB)) $child -}}
{{- $formula := printf "%v MiB for the parent (%s.parentMiB) and %d MiB for each document (config.extract.memory_limit_mib)" .spec.parentMiB .component $child -}}
{{- if lt $room 1 -}}
{{- fail (printf "%s.resources.limits.memory: %s leaves room for no document: it takes %s; raise it to %dMi" .component $limit $formula $least) -}}
{{- end -}}
{{- if gt (int .spec.permits) (int $room) -}}
{{- fail (printf "%s.permits: %v documents do not fit into %s.resources.limits.memory %s: it takes %s; at most %d fit" .component .spec.permits .component $limit $formula $room) -}}
{{- end -}}
{{- dict "permits" (int .spec.permits | default $room) "resources" $resources | toJson -}}
{{- end -}}

{{/* What programs that read documents have: permits, room for them on disk, and time to finish. */}}
{{- define "docmill.reader" -}}
{{- $memory := include "docmill.memory" . | fromJson -}}
{{- $grace := .spec.graceSeconds | default (add .root.Values.config.extract.time_limit_seconds 30) -}}
env:
  DOCMILL_WORKER__PERMITS: {{ $memory.permits | toString | quote }}
  DOCMILL_LIFECYCLE__GRACE_SECONDS: {{ $grace | toString | quote }}
resources:
  {{- $memory.resources | toYaml | nindent 2 }}
tmpSize: {{ .spec.tmpSize | default (printf "%dMi" (add (mul $memory.permits (int .root.Values.config.pipeline.max_upload_mib)) 256)) }}
terminationGracePeriodSeconds: {{ add $grace 10 }}
{{- end -}}

{{- define "docmill.worker" -}}
{{- $context := dict "root" . "component" "worker" "spec" .Values.worker -}}
{{ include "docmill.reader" $context }}
ports:
  ops: 9464
network:
  cloudIdentity: true
  ingress:
    {{- include "docmill.ingress" (dict "root" . "clients" false "autoscaler" false) | nindent 4 }}
  egress:
    {{- include "docmill.egress" . | nindent 4 }}
    {{- include "docmill.webEgress" . | nindent 4 }}
keda:
  triggers:
    {{- include "docmill.triggers" (dict "root" . "permits" (include "docmill.memory" $context | fromJson).permits) | nindent 4 }}
  cooldownSeconds: {{ include "docmill.cooldown" . }}
rollout:
  job:
    {{- include "docmill.smokeJob" (dict "root" . "host" (printf "%s-api" (include "common.fullname" .))) | nindent 4 }}
{{- end -}}

{{/* The embedded mode's all-in-one. */}}
{{- define "docmill.all-in-one" -}}
{{ include "docmill.reader" (dict "root" . "component" "embedded" "spec" .Values.embedded) }}
kind: StatefulSet
replicas: 1
args: [up]
ports:
  http: 8080
  ops: 9464
service:
  enabled: true
  type: ClusterIP
network:
  cloudIdentity: true
  ingress:
    {{- include "docmill.ingress" (dict "root" . "clients" true "autoscaler" false) | nindent 4 }}
  egress:
    {{- include "docmill.egress" . | nindent 4 }}
    {{- include "docmill.webEgress" . | nindent 4 }}
volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .Values.embedded.volume.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ .Values.embedded.volume.size }}
volumeMounts:
  - name: data
    mountPath: /data
{{ .Values.route | toYaml }}
{{- end -}}
