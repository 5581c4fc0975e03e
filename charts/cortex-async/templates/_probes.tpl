{{- /* A probe with its defaults, as JSON with Kubernetes' names. Input: the probe as the values have it. */}}
{{- define "cortex-async.probe" -}}
{{- $probe := dict
  "initialDelaySeconds" (.initial_delay_seconds | default 0 | int)
  "timeoutSeconds" (.timeout_seconds | default 1 | int)
  "periodSeconds" (.period_seconds | default 10 | int)
  "successThreshold" (.success_threshold | default 1 | int)
  "failureThreshold" (.failure_threshold | default 3 | int) -}}
{{- toJson (merge $probe (include "cortex-async.action" . | fromJson)) -}}
{{- end }}

{{- /* What a probe or hook does (httpGet, tcpSocket or exec), as JSON. Input: the probe or hook as the values have it. */}}
{{- define "cortex-async.action" -}}
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

{{- /* Readiness probes as the dispatcher runs them, as a JSON array: those of all containers, else one of pod.port.
Input: the root context. */}}
{{- define "cortex-async.glue-probes" -}}
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
