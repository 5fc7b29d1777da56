{{- define "common.scaleTarget" -}}
apiVersion: {{ include "common.apiVersion" . }}
kind: {{ .spec.kind }}
name: {{ include "common.name" . }}
{{- end -}}

{{/* Needs metrics-server. */}}
{{- define "common.hpa" -}}
{{- if .spec.hpa.enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "common.metadata" . }}
spec:
  scaleTargetRef:
    {{- include "common.scaleTarget" . | nindent 4 }}
  minReplicas: {{ .spec.hpa.minReplicas }}
  maxReplicas: {{ .spec.hpa.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .spec.hpa.cpuPercent }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: {{ .spec.hpa.scaleDownSeconds }}
{{- end }}
{{- end -}}

{{/* Needs KEDA. */}}
{{- define "common.keda" -}}
{{- if .spec.keda.enabled }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
{{ include "common.metadata" . }}
spec:
  scaleTargetRef:
    {{- include "common.scaleTarget" . | nindent 4 }}
  minReplicaCount: {{ .spec.keda.minReplicas }}
  maxReplicaCount: {{ .spec.keda.maxReplicas }}
  pollingInterval: {{ .spec.keda.pollingSeconds }}
  cooldownPeriod: {{ .spec.keda.cooldownSeconds }}
  fallback:
    failureThreshold: 3
    replicas: {{ .spec.keda.fallbackReplicas }}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:
          stabilizationWindowSeconds: {{ .spec.keda.cooldownSeconds }}
  triggers:
    {{- if not .spec.keda.triggers }}{{ fail (printf "%skeda.triggers: name at least one" (include "common.path" .)) }}{{ end }}
    {{- toYaml .spec.keda.triggers | nindent 4 }}
{{- with .spec.keda.authentication }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
{{ include "common.metadata" $ }}
spec:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
