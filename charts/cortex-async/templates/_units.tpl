{{- /* Seconds in a duration such as 90s, 5m or 1h30m. Input: the duration. */}}
{{- define "cortex-async.seconds" -}}
{{- $seconds := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" (toString .) -1 -}}
  {{- $factor := get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[hms]" .) -}}
  {{- $seconds = add $seconds (mul $factor (regexFind "[0-9]+" . | float64 | int64)) -}}
{{- end -}}
{{- $seconds -}}
{{- end }}

{{- /* A quantity times 1000 as a whole number, rounded up, so that quantities can be compared.
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

{{- /* A quantity of CPUs as Kubernetes writes it. Input: a number or a string. */}}
{{- define "cortex-async.cpu" -}}
{{- kindIs "string" . | ternary . (printf "%sm" (include "cortex-async.thousandths" .)) -}}
{{- end }}

{{- /* A quantity of bytes as Kubernetes writes it. Input: a whole number or a string. */}}
{{- define "cortex-async.bytes" -}}
{{- kindIs "string" . | ternary . (toString (int64 .)) -}}
{{- end }}

{{- /* A container's resources, as YAML. Input: requests and limits as the values have them. */}}
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
