{{- /* Annotations by which Prometheus finds a pod. Input: dict of root, port. */}}
{{- define "cortex-async.scrapeAnnotations" -}}
{{- if .root.Values.monitoring.scrapeAnnotations -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
{{- end -}}
{{- end }}
