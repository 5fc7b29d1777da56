{{/* A pod that sends a document to `host` and checks the answer. */}}
{{- define "docmill.smokePod" -}}
{{- $spec := dict
  "image" (merge (deepCopy .root.Values.embedded.image) .root.Values.image)
  "args" (list "smoke" "--server" (printf "http://%s:8080" .host) "--api-key-file" "/run/secrets/smoke/api-key" "--timeout" (toString .root.Values.smoke.timeoutSeconds))
  "resources" (dict "limits" (dict "cpu" "200m" "memory" "64Mi") "requests" (dict "cpu" "50m" "memory" "64Mi"))
  "tmpSize" "64Mi"
  "volumes" (list (dict "name" "api-key" "secret" (dict
    "secretName" .root.Values.smoke.apiKey.secret "defaultMode" 288
    "items" (list (dict "key" .root.Values.smoke.apiKey.key "path" "api-key")))))
  "volumeMounts" (list (dict "name" "api-key" "mountPath" "/run/secrets/smoke" "readOnly" true)) -}}
{{- $context := dict "root" .root "component" "smoke" "spec" $spec -}}
restartPolicy: Never
{{ include "common.podSecurity" $context }}
containers:
  - name: smoke
    {{- include "common.container" $context | nindent 4 }}
{{ include "common.volumes" $context }}
{{- end -}}

{{/* The same as a Job's spec, for an AnalysisTemplate. */}}
{{- define "docmill.smokeJob" -}}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{ add .root.Values.smoke.timeoutSeconds 30 }}
  template:
    metadata:
      labels:
        {{- include "common.podLabels" (dict "root" .root "component" "smoke") | nindent 8 }}
    spec:
      {{- include "docmill.smokePod" . | nindent 6 }}
{{- end -}}
