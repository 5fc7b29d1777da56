{{/* Needs the Gateway API (standard channel) and a controller for it. */}}
{{- define "common.httpRoute" -}}
{{- if .spec.httpRoute.enabled }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
{{ include "common.metadata" . }}
spec:
  parentRefs:
    {{- if .spec.gateway.create }}
    - name: {{ include "common.name" . }}
    {{- else }}
    {{- if not .spec.httpRoute.parentRefs }}{{ fail "httpRoute.parentRefs: name the Gateway, or set gateway.create" }}{{ end }}
    {{- toYaml .spec.httpRoute.parentRefs | nindent 4 }}
    {{- end }}
  {{- with .spec.httpRoute.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    {{- range .spec.httpRoute.rules }}
    - matches:
        - path:
            type: PathPrefix
            value: {{ .path }}
      {{- with .timeout }}
      timeouts:
        request: {{ . }}
      {{- end }}
      backendRefs:
        - name: {{ include "common.name" $ }}
          port: {{ include "common.routePort" $ }}
    {{- end }}
{{- if eq .root.Values.global.provider "gke" }}
{{- /* GKE's Gateway takes time-outs and health checks from policies of its own, not from the route. */}}
---
apiVersion: networking.gke.io/v1
kind: GCPBackendPolicy
{{ include "common.metadata" . }}
spec:
  default:
    timeoutSec: {{ .spec.httpRoute.longestSeconds }}
    connectionDraining:
      drainingTimeoutSec: {{ .spec.terminationGracePeriodSeconds }}
  targetRef:
    group: ""
    kind: Service
    name: {{ include "common.name" . }}
---
apiVersion: networking.gke.io/v1
kind: HealthCheckPolicy
{{ include "common.metadata" . }}
spec:
  default:
    config:
      type: HTTP
      httpHealthCheck:
        port: {{ .spec.ports.http }}
        requestPath: {{ .spec.httpRoute.healthPath }}
  targetRef:
    group: ""
    kind: Service
    name: {{ include "common.name" . }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A Gateway of this workload's own, where the platform has none. */}}
{{- define "common.gateway" -}}
{{- if .spec.gateway.create }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
{{ include "common.metadata" . }}
spec:
  gatewayClassName: {{ required "gateway.className: name the controller's class" .spec.gateway.className }}
  listeners:
    {{- range .spec.gateway.listeners }}
    - name: {{ .name }}
      port: {{ .port }}
      protocol: {{ ternary "HTTPS" "HTTP" (not (empty .tlsSecret)) }}
      {{- with .tlsSecret }}
      tls:
        mode: Terminate
        certificateRefs:
          - name: {{ . }}
      {{- end }}
      allowedRoutes:
        namespaces:
          from: Same
    {{- end }}
{{- end }}
{{- end -}}

{{/* Needs an Ingress controller. */}}
{{- define "common.ingress" -}}
{{- if .spec.ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
{{ include "common.metadata" . }}
  {{- with .spec.ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .spec.ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with .spec.ingress.tlsSecret }}
  tls:
    - secretName: {{ . }}
      hosts:
        {{- toYaml $.spec.ingress.hosts | nindent 8 }}
  {{- end }}
  rules:
    {{- range .spec.ingress.hosts | default (list "") }}
    - {{- with . }}
      host: {{ . | quote }}
      {{- end }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ include "common.name" $ }}
                port:
                  name: http
    {{- end }}
{{- end }}
{{- end -}}

{{/* Needs the AWS Load Balancer Controller; the ALB itself is Terraform's. */}}
{{- define "common.targetGroupBinding" -}}
{{- with .spec.targetGroupArn }}
---
apiVersion: elbv2.k8s.aws/v1beta1
kind: TargetGroupBinding
{{ include "common.metadata" $ }}
spec:
  targetGroupARN: {{ . }}
  targetType: ip
  serviceRef:
    name: {{ include "common.name" $ }}
    port: {{ include "common.routePort" $ }}
{{- end }}
{{- end -}}
