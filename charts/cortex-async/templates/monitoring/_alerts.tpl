{{- /* The alerts, as YAML: name, expression, for how long, severity, summary. Input: the root context. */}}
{{- define "cortex-async.alerts" -}}
{{- $api := printf "api_name=%q,namespace=%q" (include "cortex-async.name" .) .Release.Namespace -}}
{{- $rules := .Values.monitoring.rules -}}
{{- $fullname := include "cortex-async.fullname" . -}}
{{- /* those of the Deployment, as the dashboard chooses them */ -}}
{{- $pods := printf "namespace=%q,pod=~\"%s-[a-z0-9]+-[a-z0-9]{5}\",pod!~\"%s-(provision|delete|initial)-.*\",container!=\"\"" .Release.Namespace $fullname $fullname -}}
- alert: CortexAsyncQueueWait
  expr: >-
    histogram_quantile(0.9, sum by (le) (rate(cortex_async_queue_wait_seconds_bucket{ {{- $api -}} }[5m]))) > {{ $rules.queueWaitSeconds }}
    or (max(cortex_async_backlog_seconds{ {{- $api -}} }) > {{ $rules.queueWaitSeconds }}
    unless sum(rate(cortex_async_attempts_total{ {{- $api -}} }[5m])) > 0)
  for: 2m
  severity: warning
  summary: Requests wait longer than {{ $rules.queueWaitSeconds }} s.
- alert: CortexAsyncFailures
  expr: >-
    100 * sum(rate(cortex_async_results_total{ {{- $api -}} ,status="failed"}[10m]))
    / sum(rate(cortex_async_results_total{ {{- $api -}} ,status=~"completed|failed"}[10m])) > {{ $rules.failurePercentage }}
  for: 2m
  severity: warning
  summary: More than {{ $rules.failurePercentage }} % of the requests fail.
- alert: CortexAsyncDeadLetters
  expr: sum(increase(cortex_async_dead_letters_total{ {{- $api -}} }[15m])) > 0
  for: 0m
  severity: warning
  summary: Requests were given up and are in the dead-letter queue.
- alert: CortexAsyncNotReady
  expr: max(cortex_async_in_flight{ {{- $api -}} }) > 0 unless max(cortex_async_ready{ {{- $api -}} }) > 0
  for: 10m
  severity: critical
  summary: Requests wait and no replica is ready.
- alert: CortexAsyncAwsErrors
  expr: >-
    sum by (operation) (rate(cortex_async_aws_calls_total{ {{- $api -}} ,result!="ok"}[5m]))
    > 0.05 * sum by (operation) (rate(cortex_async_aws_calls_total{ {{- $api -}} }[5m]))
  for: 5m
  severity: critical
  summary: 'More than 5 % of the calls {{ "{{ $labels.operation }}" }} to AWS fail.'
- alert: CortexAsyncNoMeasure
  expr: absent(cortex_async_in_flight_average{ {{- $api -}} })
  for: 10m
  severity: critical
  summary: No gateway tells how many requests are in flight, so that nothing is scaled.
- alert: CortexAsyncMemory
  expr: >-
    avg by (container) (container_memory_working_set_bytes{ {{- $pods -}} })
    > avg by (container) (kube_pod_container_resource_requests{ {{- $pods -}} ,resource="memory"})
  for: 15m
  severity: warning
  summary: 'The container {{ "{{ $labels.container }}" }} takes more memory than it asks for.'
{{- if include "cortex-async.keda" . }}
- alert: CortexAsyncAtMaxReplicas
  expr: >-
    max(kube_deployment_spec_replicas{namespace={{ .Release.Namespace | quote }},deployment="{{ include "cortex-async.fullname" . }}"})
    >= {{ int .Values.autoscaling.max_replicas }}
  for: 15m
  severity: warning
  summary: The API has had autoscaling.max_replicas for 15 minutes.
{{- end }}
{{- end }}
