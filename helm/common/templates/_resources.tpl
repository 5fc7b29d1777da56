{{/*
Processor and memory by environment; a workload's own `resources` override them key by key.
Memory requested is memory limited, so that a node never runs out by overcommitment.
`atLeastMiB` lifts the memory of workloads that cannot live with less.
*/}}
{{- define "common.resources" -}}
{{- $cpu := "500m" -}}{{- $request := "100m" -}}{{- $mib := 512 -}}
{{- if eq .root.Values.global.env "prod" -}}
{{- $cpu = "1" -}}{{- $request = "1" -}}{{- $mib = 1024 -}}
{{- else if eq .root.Values.global.env "staging" -}}
{{- $cpu = "750m" -}}{{- $request = "750m" -}}{{- $mib = 768 -}}
{{- end -}}
{{- $mib = max $mib (.atLeastMiB | default 0) -}}
{{- $memory := ternary (printf "%dGi" (div $mib 1024)) (printf "%dMi" $mib) (eq (mod $mib 1024) 0) -}}
{{- $own := .spec.resources | default dict -}}
{{- with ($own.limits | default dict).memory -}}{{- $memory = . -}}{{- end -}}
{{- $default := dict "limits" (dict "cpu" $cpu "memory" $memory) "requests" (dict "cpu" $request "memory" $memory) -}}
{{- toYaml (mergeOverwrite $default (deepCopy $own)) -}}
{{- end -}}

{{/* A memory quantity (`value`) in whole MiB; `key` names it when it is none. */}}
{{- define "common.mib" -}}
{{- $value := toString .value -}}
{{- if not (regexMatch "^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)?$" $value) -}}
{{- fail (printf "%s: %q is no whole memory quantity; write it as 512Mi or 2Gi" .key $value) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $value | int64 -}}
{{- $unit := regexFind "[A-Za-z]+$" $value -}}
{{- $factors := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- div (mul $number (get $factors $unit)) 1048576 -}}
{{- end -}}
