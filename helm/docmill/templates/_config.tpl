{{/* Whether this release is the all-in-one. */}}
{{- define "docmill.embedded" -}}
{{- if eq .Values.config.catalog.kind "sqlite" }}true{{ end -}}
{{- end -}}

{{/* The configuration as the programs get it: the values, and what follows from being in a pod. */}}
{{- define "docmill.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $_ := set $config "api" (merge (dict "listen" "0.0.0.0:8080" "hosts" (include "docmill.hosts" . | fromJsonArray)) $config.api) -}}
{{- $_ := set $config "ops" (dict "listen" "0.0.0.0:9464") -}}
{{- $_ := set $config "pipeline" (merge (dict "scratch" "/tmp") $config.pipeline) -}}
{{- if include "docmill.embedded" . -}}
{{- $_ := set $config.catalog "folder" (get $config.catalog "folder" | default "/data") -}}
{{- if eq $config.blob.kind "file" -}}
{{- $_ := set $config.blob "folder" (get $config.blob "folder" | default "/data/blobs") -}}
{{- end -}}
{{- else -}}
{{- $_ := set $config.catalog "migrate" "wait" -}}
{{- end -}}
{{- toJson $config -}}
{{- end -}}

{{/* The names that the API answers to: its routes', its Services', and those of the values. */}}
{{- define "docmill.hosts" -}}
{{- $hosts := concat (.Values.config.api.hosts | default list) (.Values.route.httpRoute.hostnames | default list) (.Values.route.ingress.hosts | default list) -}}
{{- range (eq (include "docmill.embedded" .) "true" | ternary (list "embedded") (list "api" "api-canary")) -}}
{{- $service := printf "%s-%s" (include "common.fullname" $) . -}}
{{- $hosts = concat $hosts (list $service (printf "%s.%s.svc" $service $.Release.Namespace) (printf "%s.%s.svc.cluster.local" $service $.Release.Namespace)) -}}
{{- end -}}
{{- toJson (uniq $hosts) -}}
{{- end -}}

{{/*
One value as TOML. Helm's toToml writes the whole numbers of values as floats and large ones with exponents,
neither of which is an integer to the programs.
*/}}
{{- define "docmill.tomlValue" -}}
{{- if kindIs "string" . -}}{{ toRawJson . }}
{{- else if kindIs "bool" . -}}{{ . }}
{{- else if kindIs "slice" . -}}
[{{ range $i, $item := . }}{{ if $i }}, {{ end }}{{ include "docmill.tomlValue" $item }}{{ end }}]
{{- else if kindIs "map" . -}}
{ {{- range $i, $key := keys . | sortAlpha }}{{ if $i }},{{ end }} {{ toRawJson $key }} = {{ include "docmill.tomlValue" (get $ $key) }}{{ end }} }
{{- else if eq (float64 .) (floor .) -}}{{ int64 . }}
{{- else -}}{{ . }}
{{- end -}}
{{- end -}}

{{- define "docmill.toml" -}}
{{- range $section, $settings := include "docmill.config" . | fromJson }}
{{- if $settings }}
[{{ $section }}]
{{- range $key, $value := $settings }}
{{- if not (kindIs "invalid" $value) }}
{{ $key }} = {{ include "docmill.tomlValue" $value }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The port of a URL (`url`), or that of its scheme. */}}
{{- define "docmill.port" -}}
{{- $url := urlParse .url -}}
{{- $schemes := dict "http" 80 "https" 443 "nats" 4222 "tls" 4222 "amqp" 5672 "amqps" 5671 -}}
{{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (get $schemes $url.scheme | default 443) -}}
{{- end -}}
