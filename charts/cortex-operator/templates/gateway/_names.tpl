{{- /* Name and namespace of an object of the shared gateway. Input: the root context. */}}
{{- define "cortex-operator.gateway-identity" -}}
name: {{ .Values.gateway.service.name | quote }}
namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{- /* Labels that select the pods of the shared gateway and never change. Input: the root context. */}}
{{- define "cortex-operator.gateway-selector-labels" -}}
app.kubernetes.io/name: cortex-gateway
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Labels of an object of the shared gateway. Input: the root context. */}}
{{- define "cortex-operator.gateway-labels" -}}
{{- $own := include "cortex-operator.gateway-selector-labels" . | fromYaml -}}
{{- merge (dict) $own (include "cortex-operator.labels" . | fromYaml) | toYaml -}}
{{- end }}

{{- /* Name of its service account. Input: the root context. */}}
{{- define "cortex-operator.gateway-account" -}}
{{- with .Values.gateway -}}
{{ .serviceAccount.name | default (.serviceAccount.create | ternary .service.name "default") }}
{{- end -}}
{{- end }}

{{- /* What its service account is bound by. Input: the root context. */}}
{{- define "cortex-operator.gateway-subjects" -}}
- kind: ServiceAccount
  name: {{ include "cortex-operator.gateway-account" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{- /* Its rights: to find the APIs. Input: the root context. */}}
{{- define "cortex-operator.gateway-rules" -}}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch]
{{- end }}

{{- /* Image of the glue. Input: the root context. */}}
{{- define "cortex-operator.gateway-image" -}}
{{- with (.Values.global).imageRegistry }}{{ . }}/{{ end -}}
{{- with .Values.gateway.image -}}
{{ .repository }}
{{- with .digest }}@{{ . }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}
