{{- /* Image of the glue; without a repository it is refused, unless emulator.enabled. Input: the root context. */}}
{{- define "cortex-async.image" -}}
{{- with (.Values.global).imageRegistry }}{{ . }}/{{ end -}}
{{ .Values.image.repository | default "cortex-async" }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- /* A container of the glue, without ports, probes and mounts.
Input: dict of root, name (the glue's command too), resources, args (those after --config FILE; may be left out). */}}
{{- define "cortex-async.glueContainer" -}}
name: {{ .name }}
image: {{ include "cortex-async.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [python, -m, cortex_async]
args: {{ concat (list .name "--config" "/etc/cortex-async/api.json") (.args | default list) | toJson }}
env:
  - name: CORTEX_VERSION
    value: {{ .root.Chart.AppVersion | quote }}
  - name: CORTEX_LOG_LEVEL
    value: {{ .root.Values.logLevel }}
  {{- if .root.Values.emulator.enabled }}
  - name: AWS_ACCESS_KEY_ID
    value: emulator
  - name: AWS_SECRET_ACCESS_KEY
    value: emulator
  {{- end }}
  {{- with .root.Values.aws.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .root.Values.aws.credentialsSecret }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
securityContext: {{- include "cortex-async.glueSecurityContext" .root | nindent 2 }}
{{- with include "cortex-async.resources" .resources | trim }}
resources: {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Security context of the glue's containers: Pod Security restricted, and a read-only root file system.
Input: the root context. */}}
{{- define "cortex-async.glueSecurityContext" -}}
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

{{- /* Requests and limits of a container, as YAML. Input: resources as the values have them. */}}
{{- define "cortex-async.resources" -}}
{{- range $kind := list "requests" "limits" }}
{{- with get $ $kind }}
{{ $kind }}:
  {{- range $resource, $amount := . }}
  {{ $resource }}: {{ include (eq $resource "cpu" | ternary "cortex-async.cpu" "cortex-async.bytes") $amount | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Fields that every pod of the release has. Input: dict of root, serviceAccountName. */}}
{{- define "cortex-async.podDefaults" -}}
serviceAccountName: {{ .serviceAccountName | quote }}
enableServiceLinks: false
{{- with .root.Values }}
{{- with uniq (concat (.imagePullSecrets | default list) ((.global).imagePullSecrets | default list)) }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Where pods run, as YAML; may be empty. Input: dict of root, component, settings (values with nodeSelector
and so on), tolerations (more of them; may be left out). */}}
{{- define "cortex-async.scheduling" -}}
{{- with .settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (.settings.tolerations | default list) (.tolerations | default list) }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $defaults := dict "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway" }}
  - {{ merge (dict) . $defaults | toYaml | nindent 4 | trim }}
    labelSelector:
      matchLabels: {{- include "cortex-async.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Annotations that restart pods when what they read at their start changes: their part of api.json, and the
annotations of their service account, which give them a role.
Input: dict of root, account (values of the service account), unread (keys of api.json that they do not read). */}}
{{- define "cortex-async.checksums" -}}
{{- $config := include "cortex-async.apiJson" .root | fromJson -}}
{{- range .unread }}{{ $config = omit $config . }}{{ end -}}
checksum/api.json: {{ $config | toJson | sha256sum }}
checksum/service-account: {{ include "cortex-async.serviceAccountAnnotations" (pick . "root" "account") | sha256sum }}
{{- end }}
