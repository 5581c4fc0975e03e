{{- /* Name of the operator's objects: that of its Service, which callers know. Input: the root context. */}}
{{- define "cortex-operator.name" -}}
{{ .Values.service.name }}
{{- end }}

{{- /* Name and namespace of an object. Input: the root context. */}}
{{- define "cortex-operator.identity" -}}
name: {{ include "cortex-operator.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{- /* Name of what belongs to no namespace. Input: the root context. */}}
{{- define "cortex-operator.cluster-name" -}}
cortex-operator-{{ .Release.Namespace }}-{{ include "cortex-operator.name" . }}
{{- end }}

{{- /* Labels that select the operator's pods and never change. Input: the root context. */}}
{{- define "cortex-operator.selector-labels" -}}
app.kubernetes.io/name: cortex-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* Labels of an object. Input: the root context. */}}
{{- define "cortex-operator.labels" -}}
{{- $own := include "cortex-operator.selector-labels" . | fromYaml -}}
{{- $more := dict
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- merge (dict) $own $more (.Values.commonLabels | default dict) | toYaml -}}
{{- end }}

{{- /* Name of the service account. Input: the root context. */}}
{{- define "cortex-operator.service-account" -}}
{{- with .Values.serviceAccount -}}
{{ .name | default (.create | ternary (include "cortex-operator.name" $) "default") }}
{{- end -}}
{{- end }}

{{- /* Image of the operator. Input: the root context. */}}
{{- define "cortex-operator.image" -}}
{{- with (.Values.global).imageRegistry }}{{ . }}/{{ end -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- /* What a service account is bound by: subjects of a role binding. Input: the root context. */}}
{{- define "cortex-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "cortex-operator.service-account" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end }}
