{{- /* A container of the user. Input: list of root context, container. */}}
{{- define "cortex-async.user-container" -}}
{{- $root := index . 0 -}}
{{- $container := index . 1 -}}
name: {{ $container.name }}
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
    value: {{ $root.Values.pod.port | toString | quote }}
  - name: CORTEX_VERSION
    value: {{ $root.Chart.AppVersion | quote }}
  - name: CORTEX_CLI_CONFIG_DIR
    value: /cortex/client
  {{- range $key, $value := $container.env }}
  - name: {{ $key | quote }}
    value: {{ $value | quote }}
  {{- end }}
{{- with $container.readiness_probe }}
readinessProbe: {{- include "cortex-async.probe" . | fromJson | toYaml | nindent 2 }}
{{- end }}
lifecycle:
  preStop:
    {{- /* the web server outlives its last request: answered when the dispatcher has drained */}}
    httpGet:
      port: 15000
      path: /drain
volumeMounts:
  - name: mnt
    mountPath: /mnt
  - name: client
    mountPath: /cortex/client
    readOnly: true
{{- end }}
