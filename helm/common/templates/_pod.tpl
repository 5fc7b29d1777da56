{{/* What every pod of the platform is: no token, no root, no writable root file system. Jobs and tests use it too. */}}
{{- define "common.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .spec.runAsUser | default 65532 }}
  runAsGroup: {{ .spec.runAsUser | default 65532 }}
  fsGroup: {{ .spec.runAsUser | default 65532 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "common.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Image, arguments, environment and mounts of the one container. */}}
{{- define "common.container" -}}
image: {{ include "common.image" . }}
imagePullPolicy: {{ .spec.image.pullPolicy | default "IfNotPresent" }}
{{- with .spec.command }}
command: {{ toJson . }}
{{- end }}
{{- with .spec.args }}
args: {{ toJson . }}
{{- end }}
{{ include "common.containerSecurity" . }}
{{- if or .spec.env .spec.secretEnv }}
env:
  {{- range $name, $value := .spec.env }}
  - name: {{ $name }}
    value: {{ $value | toString | quote }}
  {{- end }}
  {{- range $name, $from := .spec.secretEnv }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ $from.secret }}
        key: {{ $from.key }}
  {{- end }}
{{- end }}
resources:
  {{- include "common.resources" . | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .spec.files }}
  - name: files
    mountPath: {{ .spec.filesPath }}
    readOnly: true
  {{- end }}
  {{- with .spec.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "common.volumes" -}}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: {{ .spec.tmpSize }}
  {{- if .spec.files }}
  - name: files
    configMap:
      name: {{ include "common.name" . }}-files
  {{- end }}
  {{- with .spec.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* Pods keep apart by zone and by node where there are several; one node takes them all. */}}
{{- define "common.placement" -}}
{{- $labels := include "common.selector" . -}}
{{- with .spec.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .spec.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
affinity:
  {{- with .spec.affinity }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- $labels | nindent 14 }}
  {{- end }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $labels | nindent 8 }}
    {{- if eq $.spec.kind "Deployment" }}
    matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
{{- end -}}

{{/* The pod template of a Deployment, a Rollout or a StatefulSet. */}}
{{- define "common.pod" -}}
{{- $annotations := deepCopy (.spec.podAnnotations | default dict) -}}
{{- if .spec.files -}}{{- $_ := set $annotations "checksum/files" (toJson .spec.files | sha256sum) -}}{{- end -}}
{{- if eq .spec.monitor.kind "annotations" -}}
{{- $_ := set $annotations "prometheus.io/scrape" "true" -}}
{{- $_ := set $annotations "prometheus.io/port" (toString (get .spec.ports .spec.monitor.port)) -}}
{{- $_ := set $annotations "prometheus.io/path" .spec.monitor.path -}}
{{- end -}}
metadata:
  labels:
    {{- include "common.podLabels" . | nindent 4 }}
    {{- with .spec.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "common.serviceAccountName" . }}
  {{- include "common.podSecurity" . | nindent 2 }}
  {{- include "common.placement" . | trim | nindent 2 }}
  terminationGracePeriodSeconds: {{ .spec.terminationGracePeriodSeconds }}
  containers:
    - name: {{ .component | default .root.Chart.Name }}
      {{- include "common.container" . | nindent 6 }}
      {{- with .spec.ports }}
      ports:
        {{- range $name, $port := . }}
        - name: {{ $name }}
          containerPort: {{ $port }}
        {{- end }}
      {{- end }}
      {{- range $probe, $spec := .spec.probes }}
      {{- if $spec }}
      {{ $probe }}Probe:
        {{- toYaml $spec | nindent 8 }}
      {{- end }}
      {{- end }}
      {{- if .spec.preStopSeconds }}
      # Routes go on sending for a moment after a pod is told to stop.
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .spec.preStopSeconds }}
      {{- end }}
  {{- include "common.volumes" . | nindent 2 }}
{{- end -}}
