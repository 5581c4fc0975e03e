{{- /* Name of the API. Input: the root context. */}}
{{- define "cortex-async.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{- /* Labels that select the pods of one component and never change. Input: list of root context, component. */}}
{{- define "cortex-async.selector-labels" -}}
{{- $root := index . 0 -}}
apiName: {{ include "cortex-async.name" $root | quote }}
apiKind: AsyncAPI
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
{{- end }}

{{- /* Labels of a component's pods: those that select, and no version, which would restart pods for nothing.
Input: list of root context, component. */}}
{{- define "cortex-async.pod-labels" -}}
{{ include "cortex-async.selector-labels" . }}
cortex.dev/api: "true"
app.kubernetes.io/name: cortex-async
{{- end }}

{{- /* Labels of an object. Input: list of root context, component. */}}
{{- define "cortex-async.labels" -}}
{{- $root := index . 0 -}}
{{ include "cortex-async.pod-labels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Image of the glue. Input: the root context. */}}
{{- define "cortex-async.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
