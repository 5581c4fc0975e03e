{{- /* Seconds in a duration such as 90s, 5m or 1h30m. Input: the duration. */}}
{{- define "cortex-async.seconds" -}}
{{- $seconds := 0 -}}
{{- range regexFindAll "[0-9]+[hms]" (toString .) -1 -}}
  {{- $factor := get (dict "h" 3600 "m" 60 "s" 1) (regexFind "[hms]" .) -}}
  {{- $seconds = add $seconds (mul $factor (regexFind "[0-9]+" . | int64)) -}}
{{- end -}}
{{- $seconds -}}
{{- end }}
