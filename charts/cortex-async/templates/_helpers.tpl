{{- /* Name of the API. Input: the root context. */}}
{{- define "cortex-async.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{- /* Name of the API's own objects; those of other components add -<component>. Input: the root context. */}}
{{- define "cortex-async.fullname" -}}
api-{{ include "cortex-async.name" . }}
{{- end }}

{{- /* Name and version of the chart, as a label. Input: the root context. */}}
{{- define "cortex-async.chart" -}}
{{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Labels that select the pods of a component. They never change, also when the release gets another name or Argo CD
sets its own for app.kubernetes.io/instance. Input: dict of root, component. */}}
{{- define "cortex-async.selectorLabels" -}}
apiName: {{ include "cortex-async.name" .root | quote }}
apiKind: AsyncAPI
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* Labels of a component's pods. The version is not among them: it would restart pods for nothing.
Input: dict of root, component, podLabels (from the values; may be left out). */}}
{{- define "cortex-async.podLabels" -}}
{{- $own := dict "cortex.dev/api" "true" "app.kubernetes.io/name" "cortex-async"
  "app.kubernetes.io/instance" .root.Release.Name -}}
{{- $selecting := include "cortex-async.selectorLabels" . | fromYaml -}}
{{- merge (dict) $selecting $own (.podLabels | default dict) (.root.Values.commonLabels | default dict) | toYaml -}}
{{- end }}

{{- /* Labels of an object. Input: dict of root, component. */}}
{{- define "cortex-async.labels" -}}
{{- $version := dict
  "app.kubernetes.io/version" .root.Chart.AppVersion
  "app.kubernetes.io/managed-by" .root.Release.Service
  "helm.sh/chart" (include "cortex-async.chart" .root) -}}
{{- merge (include "cortex-async.podLabels" (pick . "root" "component") | fromYaml) $version | toYaml -}}
{{- end }}

{{- /* Name of a service account. Input: dict of root, component, account (its values). */}}
{{- define "cortex-async.serviceAccountName" -}}
{{- $suffix := eq .component "api" | ternary "" (printf "-%s" .component) -}}
{{- $made := printf "%s%s" (include "cortex-async.fullname" .root) $suffix -}}
{{- .account.name | default (.account.create | ternary $made "default") -}}
{{- end }}

{{- /* Annotations of the service account of the API's pods or of the gateway: its own, else those of serviceAccount.
Input: dict of root, account (its values). */}}
{{- define "cortex-async.serviceAccountAnnotations" -}}
{{- with .account.annotations | default .root.Values.serviceAccount.annotations -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}

{{- /* Seconds in a duration such as 90s, 5m or 1h30m. Input: the duration. */}}
{{- define "cortex-async.seconds" -}}
{{- $seconds := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" (toString .) -1 -}}
  {{- $factor := get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[hms]" .) -}}
  {{- $seconds = add $seconds (mul $factor (regexFind "[0-9]+" . | float64 | int64)) -}}
{{- end -}}
{{- $seconds -}}
{{- end }}

{{- /* A quantity times 1000, rounded up to a whole number, so that quantities can be compared.
Input: the quantity, a number or a string. */}}
{{- define "cortex-async.thousandths" -}}
{{- $factors := dict
  "m" 1 "" 1000 "k" 1e6 "M" 1e9 "G" 1e12 "T" 1e15 "Ki" 1024e3 "Mi" 1048576e3 "Gi" 1073741824e3 "Ti" 1099511627776e3 -}}
{{- if kindIs "string" . -}}
  {{- $number := regexFind "^[0-9.]+" . -}}
  {{- mulf (float64 $number) (get $factors (trimPrefix $number .)) | ceil | printf "%.0f" -}}
{{- else -}}
  {{- mulf . 1000 | ceil | printf "%.0f" -}}
{{- end -}}
{{- end }}

{{- /* CPUs as Kubernetes writes them. Input: a number or a string. */}}
{{- define "cortex-async.cpu" -}}
{{- kindIs "string" . | ternary . (printf "%sm" (include "cortex-async.thousandths" .)) -}}
{{- end }}

{{- /* Bytes as Kubernetes writes them. Input: a whole number or a string. */}}
{{- define "cortex-async.bytes" -}}
{{- kindIs "string" . | ternary . (toString (int64 .)) -}}
{{- end }}

{{- /* A number of pods or a percentage of them. Input: the number, or the percentage as a string. */}}
{{- define "cortex-async.intOrPercent" -}}
{{- kindIs "string" . | ternary (quote .) (toJson .) -}}
{{- end }}
