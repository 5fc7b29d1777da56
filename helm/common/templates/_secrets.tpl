{{/*
Secrets are never values: they come from a Secret that is there already, or by External Secrets.
`secrets`: existingSecret, keys; or externalSecret, store, refreshInterval.
*/}}
{{- define "common.secretName" -}}
{{- .secrets.existingSecret | default (printf "%s-secrets" (include "common.fullname" .root)) -}}
{{- end -}}

{{/* The keys that the Secret holds, sorted, as a JSON list. */}}
{{- define "common.secretKeys" -}}
{{- $keys := concat .secrets.keys (keys .secrets.externalSecret) | uniq | sortAlpha -}}
{{- if and .secrets.existingSecret .secrets.externalSecret -}}
{{- fail "secrets.existingSecret and secrets.externalSecret: both are set; name one of them" -}}
{{- end -}}
{{- if and .secrets.keys (not .secrets.existingSecret) -}}
{{- fail (printf "secrets.existingSecret: secrets.keys names %s, but no Secret that holds them; name it" (join ", " .secrets.keys)) -}}
{{- end -}}
{{- toJson $keys -}}
{{- end -}}

{{/* Needs External Secrets. */}}
{{- define "common.externalSecret" -}}
{{- with .secrets.externalSecret }}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
{{ include "common.metadata" (merge (dict "name" (include "common.secretName" $)) $) }}
spec:
  refreshInterval: {{ $.secrets.refreshInterval }}
  secretStoreRef:
    name: {{ required "secrets.store.name: name the (Cluster)SecretStore that secrets.externalSecret is read from" $.secrets.store.name }}
    kind: {{ $.secrets.store.kind }}
  target:
    name: {{ include "common.secretName" $ }}
    creationPolicy: Owner
  data:
    {{- range $key, $remote := . }}
    - secretKey: {{ $key }}
      remoteRef:
        {{- if kindIs "string" $remote }}
        key: {{ $remote }}
        {{- else }}
        {{- toYaml $remote | nindent 8 }}
        {{- end }}
    {{- end }}
{{- end }}
{{- end -}}
