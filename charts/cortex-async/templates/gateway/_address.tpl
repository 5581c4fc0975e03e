{{- /* Host name of the API's gateway: its own, or the shared one. Input: the root context. */}}
{{- define "cortex-async.gatewayHost" -}}
{{- if .Values.gateway.shared -}}
{{ .Values.gateway.sharedName }}.{{ .Values.gateway.sharedNamespace }}.svc.cluster.local
{{- else -}}
{{ include "cortex-async.fullname" . }}-gateway
{{- end -}}
{{- end }}

{{- /* Port of that Service; the shared one has 80. Input: the root context. */}}
{{- define "cortex-async.gatewayPort" -}}
{{ .Values.gateway.shared | ternary 80 (int .Values.gateway.service.port) }}
{{- end }}

{{- /* URL at which KEDA reads how much is in flight. Input: the root context. */}}
{{- define "cortex-async.scalingUrl" -}}
{{- $name := include "cortex-async.name" . -}}
{{- with .Values.gateway -}}
{{- if .shared -}}
http://{{ .sharedName }}-admin.{{ .sharedNamespace }}.svc:15001/scaling/{{ $.Release.Namespace }}/{{ $name }}
{{- else -}}
http://{{ include "cortex-async.fullname" $ }}-gateway-admin.{{ $.Release.Namespace }}.svc:15001/scaling
{{- end -}}
{{- end -}}
{{- end }}
