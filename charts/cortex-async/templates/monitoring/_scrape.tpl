{{- /* Annotations by which Prometheus finds a pod. Input: list of root context, port. */}}
{{- define "cortex-async.scrape-annotations" -}}
{{- if (index . 0).Values.monitoring.scrapeAnnotations -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ index . 1 | quote }}
prometheus.io/path: /metrics
{{- end -}}
{{- end }}
