{{/* What an annotation of the cluster's Secret says; "" where it is not there. */}}
{{- define "annotation" -}}
{{- get ((.root.Values.cluster).annotations | default dict) .name -}}
{{- end -}}

{{/*
One Application of this cluster. Takes root, name, project, namespace, wave, source; and optionally
keep (what it made is never pruned and never deleted), namespaceLabels (the namespace is made, with these).
Paused, by annotation or for all, it is compared but not synchronised.
*/}}
{{- define "application" -}}
{{- $values := .root.Values -}}
{{- $paused := or $values.paused (eq (include "annotation" (dict "root" .root "name" "docmill.io/paused")) "true") -}}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {{ $values.site }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    docmill.io/component: {{ .name }}
    docmill.io/ring: {{ $values.ring }}
    docmill.io/site: {{ $values.site }}
    docmill.io/service: {{ $values.service }}
  annotations:
    argocd.argoproj.io/sync-wave: {{ .wave | toString | quote }}
    argocd.argoproj.io/compare-options: ServerSideDiff=true
    {{- if .keep }}
    argocd.argoproj.io/sync-options: Prune=false,Delete=false
    {{- end }}
spec:
  project: {{ .project }}
  source:
    {{- toYaml .source | nindent 4 }}
  destination:
    name: {{ $values.site }}
    namespace: {{ .namespace }}
  syncPolicy:
    {{- if not $paused }}
    automated: {prune: {{ not .keep }}, selfHeal: true}
    {{- end }}
    {{- with .namespaceLabels }}
    managedNamespaceMetadata:
      labels:
        {{- toYaml . | nindent 8 }}
    {{- end }}
    syncOptions:
      - ServerSideApply=true
      # A kind whose CRD another Application is still bringing: tried again until it is there.
      - SkipDryRunOnMissingResource=true
      {{- if .namespaceLabels }}
      - CreateNamespace=true
      {{- end }}
    retry: {limit: 10, refresh: true, backoff: {duration: 5s, factor: 2, maxDuration: 3m}}
{{- end -}}
