{{- /* A container of the user. Input: dict of root, container, index (of the container). */}}
{{- define "cortex-async.userContainer" -}}
{{- $root := .root -}}
{{- $container := .container -}}
name: {{ $container.name | quote }}
image: {{ $container.image | quote }}
{{- with $container.command }}
command: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $container.args }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- /* first: the variables after it may refer to $(CORTEX_PORT) */}}
  - name: CORTEX_PORT
    value: {{ int $root.Values.pod.port | quote }}
  - name: CORTEX_VERSION
    value: {{ $root.Chart.AppVersion | quote }}
  - name: CORTEX_CLI_CONFIG_DIR
    value: /cortex/client
  - name: CORTEX_PROGRESS_URL
    value: http://localhost:15000/progress
  {{- /* before the container's own variables, which may refer to these as $(NAME) */}}
  {{- with $root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- range $key, $value := $container.env }}
  - name: {{ $key | quote }}
    value: {{ $value | toJson }}
  {{- end }}
{{- with include "cortex-async.computeResources" ($container.compute | default dict) | trim }}
resources: {{- . | nindent 2 }}
{{- end }}
{{- with $container.readiness_probe }}
readinessProbe: {{- include "cortex-async.probe" . | fromJson | toYaml | nindent 2 }}
{{- end }}
{{- with $container.liveness_probe }}
livenessProbe: {{- include "cortex-async.probe" . | fromJson | toYaml | nindent 2 }}
{{- end }}
lifecycle:
  {{- /* by default the web server stops after its last request: /drain answers when the dispatcher has drained */}}
  {{- $drain := dict "http_get" (dict "port" 15000 "path" "/drain") }}
  preStop: {{- include "cortex-async.handler" ($container.pre_stop | default $drain) | fromJson | toYaml | nindent 4 }}
securityContext: {{- include "cortex-async.userSecurityContext" (dict "root" $root "container" $container) | trim | nindent 2 }}
volumeMounts:
  - name: mnt
    mountPath: /mnt
  - name: client
    mountPath: /cortex/client
    readOnly: true
  {{- if ($container.compute).shm }}
  - name: shm-{{ .index }}
    mountPath: /dev/shm
  {{- end }}
  {{- with $root.Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* Resources of a user's container, as YAML. Input: the container's compute, {} if it has none. */}}
{{- define "cortex-async.computeResources" -}}
{{- $devices := dict -}}
{{- with .gpu }}{{ $_ := set $devices "nvidia.com/gpu" (int . | toString) }}{{ end -}}
{{- with .inf -}}
  {{- $_ := set $devices "aws.amazon.com/neuron" (int . | toString) -}}
  {{- /* 128 pages of 2 MiB a chip */}}
  {{- $_ := set $devices "hugepages-2Mi" (printf "%dMi" (mul 256 (int .))) -}}
{{- end -}}
{{- $requests := dict -}}
{{- /* null: no request; left out: the default */}}
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

{{- /* Security context of a user's container. Input: dict of root, container. */}}
{{- define "cortex-async.userSecurityContext" -}}
{{- $settings := .root.Values.securityContext -}}
{{- $restricted := eq $settings.level "restricted" -}}
{{- $inf := (.container.compute).inf -}}
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
