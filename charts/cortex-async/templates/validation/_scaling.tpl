{{- /* What is wrong with durations and numbers of replicas. Input: the root context. */}}
{{- define "cortex-async.problems.scaling" }}
{{- $timeout := include "cortex-async.seconds" (.Values.pod.request_timeout | default "1s") | int }}
{{- if or (lt $timeout 1) (gt $timeout 43200) }}
- pod.request_timeout: {{ .Values.pod.request_timeout }} is not from 1s to 12h
{{- end }}
{{- with .Values.terminationGracePeriodSeconds }}
{{- if and $.Values.pod.request_timeout (lt (int .) (add $timeout 10 | int)) }}
- terminationGracePeriodSeconds: {{ . }} is less than pod.request_timeout ({{ $timeout }} s) and 10 s: a request could not end before its pod is killed
{{- end }}
{{- end }}
{{- with .Values.autoscaling }}
{{- $target := include "cortex-async.targetInFlight" $ }}
{{- if and (eq .trigger "sqs") (ne .engine "none") (ne $target (float64 $target | floor | int64 | toString)) }}
- autoscaling.target_in_flight: {{ $target }} is no whole number, which autoscaling.trigger sqs needs
{{- end }}
{{- if lt (int .max_replicas) (int .min_replicas) }}
- autoscaling.max_replicas: {{ .max_replicas }} is less than min_replicas ({{ .min_replicas }})
{{- end }}
{{- $init := kindIs "invalid" .init_replicas | ternary .min_replicas .init_replicas | int }}
{{- if or (lt $init (int .min_replicas)) (gt $init (int .max_replicas | max (int .min_replicas))) }}
- autoscaling.init_replicas: {{ $init }} is not from min_replicas ({{ .min_replicas }}) to max_replicas ({{ .max_replicas }})
{{- end }}
{{- $window := include "cortex-async.seconds" .window | int }}
{{- if or (lt $window 10) (mod $window 10) }}
- autoscaling.window: {{ .window }} is not a multiple of 10s, or less than 10s
{{- end }}
{{- end }}
{{- with .Values.update_strategy }}
{{- if and (has (toString .max_surge) (list "0" "0%")) (has (toString .max_unavailable) (list "0" "0%")) }}
- update_strategy: max_surge and max_unavailable are both zero: no replica could ever be replaced
{{- end }}
{{- end }}
{{- with .Values.gateway.autoscaling }}
{{- if lt (int .maxReplicas) (int .minReplicas) }}
- gateway.autoscaling.maxReplicas: {{ .maxReplicas }} is less than minReplicas ({{ .minReplicas }})
{{- end }}
{{- if and .enabled (not (($.Values.gateway.resources).requests).cpu) }}
- gateway.resources.requests.cpu: gateway.autoscaling needs a request to measure by
{{- end }}
{{- end }}
{{- end }}
