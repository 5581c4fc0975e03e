{{- /* A probe with its defaults, as JSON with the field names of Kubernetes. Input: the probe as the values have it. */}}
{{- define "cortex-async.probe" -}}
{{- $probe := dict
  "initialDelaySeconds" (.initial_delay_seconds | default 0 | int)
  "timeoutSeconds" (.timeout_seconds | default 1 | int)
  "periodSeconds" (.period_seconds | default 10 | int)
  "successThreshold" (.success_threshold | default 1 | int)
  "failureThreshold" (.failure_threshold | default 3 | int) -}}
{{- toJson (merge $probe (include "cortex-async.handler" . | fromJson)) -}}
{{- end }}

{{- /* What a probe or hook does (httpGet, tcpSocket or exec), as JSON. Input: the probe or hook as the values have it. */}}
{{- define "cortex-async.handler" -}}
{{- if .http_get -}}
  {{- $path := .http_get.path | default "/" -}}
  {{- toJson (dict "httpGet" (dict
    "port" (int .http_get.port)
    "path" (hasPrefix "/" $path | ternary $path (printf "/%s" $path)))) -}}
{{- else if .tcp_socket -}}
  {{- toJson (dict "tcpSocket" (dict "port" (int .tcp_socket.port))) -}}
{{- else -}}
  {{- toJson (dict "exec" (dict "command" .exec.command)) -}}
{{- end -}}
{{- end }}

{{- /* Readiness probes that the dispatcher runs, as a JSON array: those of all containers. Without any: a TCP probe of
pod.port. Input: the root context. */}}
{{- define "cortex-async.dispatcherProbes" -}}
{{- $probes := list -}}
{{- range $container := .Values.pod.containers -}}
  {{- with $container.readiness_probe -}}
    {{- $probe := include "cortex-async.probe" . | fromJson -}}
    {{- $target := $probe.httpGet | default $probe.tcpSocket -}}
    {{- $probes = append $probes (merge
      (dict
        "container" $container.name
        "type" (hasKey $probe "httpGet" | ternary "http_get" "tcp_socket")
        "port" (int $target.port)
        "path" $target.path)
      (omit $probe "httpGet" "tcpSocket")) -}}
  {{- end -}}
{{- end -}}
{{- toJson ($probes | default (list (dict
  "container" nil "type" "tcp_socket" "port" (int .Values.pod.port) "path" nil
  "initialDelaySeconds" 0 "timeoutSeconds" 1 "periodSeconds" 1 "successThreshold" 1 "failureThreshold" 3))) -}}
{{- end }}

{{- /* Seconds between SIGTERM and SIGKILL of the API's pods. Input: the root context. */}}
{{- define "cortex-async.gracePeriod" -}}
{{- $timeout := include "cortex-async.seconds" (.Values.pod.request_timeout | default "0s") | int -}}
{{- .Values.terminationGracePeriodSeconds | default (max 60 (add $timeout 10)) | int -}}
{{- end }}

{{- /* Tolerations for the accelerators that the containers ask for, as a JSON array. Input: the root context. */}}
{{- define "cortex-async.deviceTolerations" -}}
{{- $wanted := list -}}
{{- range $device, $settings := .Values.accelerators -}}
  {{- range $.Values.pod.containers -}}
    {{- if get (.compute | default dict) $device }}{{ $wanted = concat $wanted ($settings.tolerations | default list) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- uniq $wanted | toJson -}}
{{- end }}

{{- /* Annotation by which EKS (IRSA, Pod Identity) gives the pods' role to the dispatcher alone; may be empty.
Input: the root context. */}}
{{- define "cortex-async.skipContainers" -}}
{{- $key := "eks.amazonaws.com/skip-containers" -}}
{{- if not (or .Values.serviceAccount.shareWithContainers (hasKey (.Values.podAnnotations | default dict) $key)) -}}
{{- $names := list -}}
{{- range .Values.pod.containers }}{{ $names = append $names .name }}{{ end -}}
{{ $key }}: {{ join "," $names | quote }}
{{- end -}}
{{- end }}

{{- /* Whether a container asks for Inferentia: "true" or nothing. Input: the root context. */}}
{{- define "cortex-async.usesInferentia" -}}
{{- range .Values.pod.containers }}{{ if (.compute).inf }}true{{ end }}{{ end -}}
{{- end }}

{{- /* A volume of the user. Input: the volume as the values have it. */}}
{{- define "cortex-async.extraVolume" -}}
{{- $volume := deepCopy . -}}
{{- with (.emptyDir).sizeLimit }}{{ $_ := set $volume.emptyDir "sizeLimit" (include "cortex-async.bytes" .) }}{{ end -}}
{{- toYaml $volume -}}
{{- end }}
