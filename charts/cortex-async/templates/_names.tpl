{{- /* Name of the API. Input: the root context. */}}
{{- define "cortex-async.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{- /* Name and namespace of an object. Input: list of root context, what follows api-<name> ("" for nothing). */}}
{{- define "cortex-async.identity" -}}
name: api-{{ include "cortex-async.name" (index . 0) }}{{ index . 1 }}
namespace: {{ (index . 0).Release.Namespace | quote }}
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
Input: list of root context, component, the values' podLabels. */}}
{{- define "cortex-async.pod-labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict "cortex.dev/api" "true" "app.kubernetes.io/name" "cortex-async" -}}
{{- $selecting := include "cortex-async.selector-labels" . | fromYaml -}}
{{- merge (dict) $selecting $own (index . 2 | default dict) ($root.Values.commonLabels | default dict) | toYaml -}}
{{- end }}

{{- /* Labels of an object. Input: list of root context, component. */}}
{{- define "cortex-async.labels" -}}
{{- $root := index . 0 -}}
{{- $version := dict
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- merge (include "cortex-async.pod-labels" (append . dict) | fromYaml) $version | toYaml -}}
{{- end }}

{{- /* Name of a service account. Input: list of root context, its values, what follows api-<name>. */}}
{{- define "cortex-async.service-account" -}}
{{- $settings := index . 1 -}}
{{- $made := printf "api-%s%s" (include "cortex-async.name" (index . 0)) (index . 2) -}}
{{- $settings.name | default ($settings.create | ternary $made "default") -}}
{{- end }}
