{{/* What no schema can say: settings that do not go together, each refused by a sentence that names its key. */}}
{{- define "docmill.validate" -}}
{{- $config := .Values.config -}}
{{- $secretKeys := include "common.secretKeys" (dict "root" . "secrets" .Values.secrets) | fromJsonArray -}}

{{- /* one process, or many */ -}}
{{- if include "docmill.embedded" . -}}
{{- range $name := list "api" "worker" -}}
{{- $replicas := int (get $.Values $name).replicas -}}
{{- if gt $replicas 1 -}}
{{- fail (printf "%s.replicas: %d, but config.catalog.kind is sqlite, which one process holds; set config.catalog.kind to postgres, or %s.replicas to 1" $name $replicas $name) -}}
{{- end -}}
{{- end -}}
{{- range $key, $on := dict "api.hpa.enabled" .Values.api.hpa.enabled "worker.keda.enabled" .Values.worker.keda.enabled -}}
{{- if $on -}}
{{- fail (printf "%s: true, but config.catalog.kind is sqlite, which one process holds; set config.catalog.kind to postgres, or turn scaling off" $key) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- if eq $config.blob.kind "file" -}}
{{- fail "config.blob.kind: file is a folder of one process, but config.catalog.kind is postgres; set config.blob.kind to s3" -}}
{{- end -}}
{{- if eq $config.queue.kind "memory" -}}
{{- fail "config.queue.kind: memory is of one process, but config.catalog.kind is postgres; set config.queue.kind to sqs, nats or rabbitmq" -}}
{{- end -}}
{{- end -}}

{{- /* one broker, one store, one catalog */ -}}
{{- $own := dict
  "catalog" (dict "sqlite" (list "folder") "postgres" (list "host" "port" "database" "user" "iam_auth" "region" "tls" "tls_ca" "migrate_wait_seconds" "max_connections" "acquire_timeout_seconds" "statement_timeout_seconds"))
  "blob" (dict "file" (list "folder") "s3" (list "bucket" "region" "endpoint" "path_style"))
  "queue" (dict "memory" (list "visibility_seconds" "capacity") "sqs" (list "interactive_url" "bulk_url" "region" "endpoint" "visibility_seconds") "nats" (list "url" "stream" "visibility_seconds") "rabbitmq" (list "url" "exchange")) -}}
{{- range $section, $kinds := $own -}}
{{- $settings := get $config $section -}}
{{- range $kind, $keys := $kinds -}}
{{- range $key := $keys -}}
{{- if and (hasKey $settings $key) (not (has $key (get $kinds $settings.kind))) -}}
{{- fail (printf "config.%s.%s: belongs to kind %s, but config.%s.kind is %s; keep the settings of one kind" $section $key $kind $section $settings.kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* what each kind needs */ -}}
{{- $needed := dict
  "catalog" (dict "postgres" (list "host" "database" "user"))
  "blob" (dict "s3" (list "bucket"))
  "queue" (dict "sqs" (list "interactive_url" "bulk_url") "nats" (list "url") "rabbitmq" (list "url")) -}}
{{- range $section, $kinds := $needed -}}
{{- $settings := get $config $section -}}
{{- range $key := get $kinds $settings.kind | default list -}}
{{- if not (or (get $settings $key) (has (printf "%s.%s" $section $key) $secretKeys)) -}}
{{- fail (printf "config.%s.%s: kind %s needs it" $section $key $settings.kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* secrets */ -}}
{{- if and (eq $config.catalog.kind "postgres") (not $config.catalog.iam_auth) (not (has "catalog.password" $secretKeys)) -}}
{{- fail "secrets: catalog.password is missing, and config.catalog.iam_auth is off; list it in secrets.keys or secrets.externalSecret" -}}
{{- end -}}
{{- if and (eq $config.blob.kind "s3") (ne .Values.global.provider "eks") -}}
{{- range $key := list "blob.access_key_id" "blob.secret_access_key" -}}
{{- if not (has $key $secretKeys) -}}
{{- fail (printf "secrets: %s is missing, and global.provider %q gives pods no identity that S3 knows; list it in secrets.keys or secrets.externalSecret" $key $.Values.global.provider) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.serviceAccounts.create -}}
{{- range $name := ternary (list "embedded") (list "api" "worker" "provision") (eq (include "docmill.embedded" .) "true") -}}
{{- if not (get $.Values.serviceAccounts $name).name -}}
{{- fail (printf "serviceAccounts.%s.name: name the account, or set serviceAccounts.create" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $section, $settings := $config -}}
{{- range $key, $value := $settings -}}
{{- if and (kindIs "string" $value) (regexMatch "://[^/@]*:[^/@]*@" $value) -}}
{{- fail (printf "config.%s.%s: holds a password; put it into the Secret as %s.%s and list that in secrets.keys" $section $key $section $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $rollouts := or (eq .Values.api.kind "Rollout") (eq .Values.worker.kind "Rollout") -}}
{{- if and $rollouts (not .Values.smoke.apiKey.secret) -}}
{{- fail "smoke.apiKey.secret: a Rollout is judged by a document that is sent with an API key; name the Secret that holds it" -}}
{{- end -}}
{{- end -}}
