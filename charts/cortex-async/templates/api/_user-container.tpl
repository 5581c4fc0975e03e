{{- /* A container of the user. Input: list of root context, container, its index. */}}
{{- define "cortex-async.user-container" -}}
{{- $root := index . 0 -}}
{{- $container := index . 1 -}}
name: {{ $container.name | quote }}
image: {{ $container.image | quote }}
{{- with $container.command }}
command: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $container.args }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- /* first, so that $(CORTEX_PORT) is known to all that follows */}}
  - name: CORTEX_PORT
    value: {{ int $root.Values.pod.port | quote }}
  - name: CORTEX_VERSION
    value: {{ $root.Chart.AppVersion | quote }}
  - name: CORTEX_CLI_CONFIG_DIR
    value: /cortex/client
  {{- /* before the container's own, which may refer to them as $(NAME) */}}
  {{- with $root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- range $key, $value := $container.env }}
  - name: {{ $key | quote }}
    value: {{ $value | toJson }}
  {{- end }}
{{- with include "cortex-async.compute" ($container.compute | default dict) | trim }}
resources: {{- . | nindent 2 }}
{{- end }}
{{- with $container.readiness_probe }}
readinessProbe: {{- include "cortex-async.probe" . | fromJson | toYaml | nindent 2 }}
{{- end }}
{{- with $container.liveness_probe }}
livenessProbe: {{- include "cortex-async.probe" . | fromJson | toYaml | nindent 2 }}
{{- end }}
lifecycle:
  {{- /* without one of its own, the web server outlives its last request: answered when the dispatcher has drained */}}
  {{- $drain := dict "http_get" (dict "port" 15000 "path" "/drain") }}
  preStop: {{- include "cortex-async.action" ($container.pre_stop | default $drain) | fromJson | toYaml | nindent 4 }}
securityContext: {{- include "cortex-async.user-security" (list $root $container) | trim | nindent 2 }}
volumeMounts:
  - name: mnt
    mountPath: /mnt
  - name: client
    mountPath: /cortex/client
    readOnly: true
  {{- if ($container.compute).shm }}
  - name: shm-{{ index . 2 }}
    mountPath: /dev/shm
  {{- end }}
  {{- with $root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Resources of a user's container, as YAML. Input: its compute, with nothing left out. */}}
{{- define "cortex-async.compute" -}}
{{- $devices := dict -}}
{{- with .gpu }}{{ $_ := set $devices "nvidia.com/gpu" (int . | toString) }}{{ end -}}
{{- with .inf -}}
  {{- $_ := set $devices "aws.amazon.com/neuron" (int . | toString) -}}
  {{- /* 128 pages of 2 MiB a chip */}}
  {{- $_ := set $devices "hugepages-2Mi" (printf "%dMi" (mul 256 (int .))) -}}
{{- end -}}
{{- $requests := dict -}}
{{- /* null is no request; left out is the default */}}
{{- $cpu := hasKey . "cpu" | ternary .cpu "200m" -}}
{{- if $cpu }}{{ $_ := set $requests "cpu" (include "cortex-async.cpu" $cpu) }}{{ end -}}
{{- with .mem }}{{ $_ := set $requests "memory" (include "cortex-async.bytes" .) }}{{ end -}}
{{- with merge $requests $devices }}
requests: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $devices }}
limits: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Security context of a user's container. Input: list of root context, container. */}}
{{- define "cortex-async.user-security" -}}
{{- $settings := (index . 0).Values.securityContext -}}
{{- $restricted := eq $settings.level "restricted" -}}
{{- $inf := ((index . 1).compute).inf -}}
{{- if not $inf }}
allowPrivilegeEscalation: false
{{- end }}
{{- if or $restricted $inf }}
capabilities:
  {{- if $restricted }}
  drop: [ALL]
  {{- end }}
  {{- if $inf }}
  {{- /* what the Neuron runtime needs for its huge pages */}}
  add: [SYS_ADMIN, IPC_LOCK]
  {{- end }}
{{- end }}
{{- if $restricted }}
runAsNonRoot: true
{{- end }}
{{- range $key := list "runAsUser" "runAsGroup" }}
{{- if not (kindIs "invalid" (index $settings $key)) }}
{{ $key }}: {{ index $settings $key | int64 }}
{{- end }}
{{- end }}
readOnlyRootFilesystem: {{ $settings.readOnlyRootFilesystem }}
seccompProfile:
  type: RuntimeDefault
{{- end }}
