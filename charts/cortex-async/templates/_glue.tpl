{{- /* Image of the glue. Input: the root context. */}}
{{- define "cortex-async.image" -}}
{{- with (.Values.global).imageRegistry }}{{ . }}/{{ end -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- /* A container of the glue, but for its ports and probes.
Input: list of root context, its name, which is the command too, its resources, arguments after --config FILE. */}}
{{- define "cortex-async.glue-container" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
image: {{ include "cortex-async.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [python, -m, cortex_async]
args: {{ concat (list (index . 1) "--config" "/etc/cortex-async/api.json") (index . 3) | toJson }}
env: {{- include "cortex-async.glue-env" $root | nindent 2 }}
{{- with $root.Values.aws.credentialsSecret }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
securityContext: {{- include "cortex-async.glue-security" $root | nindent 2 }}
{{- with include "cortex-async.resources" (index . 2) | trim }}
resources: {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Environment of the glue's containers. Input: the root context. */}}
{{- define "cortex-async.glue-env" -}}
- name: CORTEX_VERSION
  value: {{ .Chart.AppVersion | quote }}
- name: CORTEX_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{- if .Values.emulator.enabled }}
- name: AWS_ACCESS_KEY_ID
  value: emulator
- name: AWS_SECRET_ACCESS_KEY
  value: emulator
{{- end }}
{{- with .Values.aws.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Security context of the glue's containers: Pod Security restricted, and a read-only root file system.
Input: the root context. */}}
{{- define "cortex-async.glue-security" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- with .Values.image.runAsUser }}
runAsUser: {{ int . }}
runAsGroup: {{ int . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* Where api.json is mounted. No input. */}}
{{- define "cortex-async.config-mount" -}}
name: config
mountPath: /etc/cortex-async
readOnly: true
{{- end }}

{{- /* The volume with api.json. Input: name of the ConfigMap. */}}
{{- define "cortex-async.config-volume" -}}
name: config
configMap:
  name: {{ . }}
{{- end }}
