{{- /* What the glue is told: the document of schemas/api.schema.json. Input: the root context. */}}
{{- define "cortex-async.api-json" -}}
{{- $values := .Values -}}
{{- $name := include "cortex-async.name" . -}}
{{- $queue := printf "%s-%s" $values.clusterName $name -}}
{{- $timeout := $values.pod.request_timeout -}}
{{- with $timeout }}{{ $timeout = include "cortex-async.seconds" . | int }}{{ end -}}
{{- dict
  "name" $name
  "clusterName" $values.clusterName
  "aws" (dict "region" $values.aws.region "endpointUrl" $values.aws.endpointUrl)
  "storage" (dict
    "bucket" $values.aws.bucket
    "prefix" ($values.storage.prefix | default $values.clusterName)
    "retentionDays" (int $values.storage.retentionDays))
  "queue" (dict
    "url" $values.queue.url
    "name" $queue
    "deadLetterName" (printf "%s-dead-letter" $queue)
    "maxAttempts" (int $values.queue.maxAttempts)
    "visibilityTimeoutSeconds" (int $values.queue.visibilityTimeoutSeconds)
    "inlineLimitBytes" (int $values.queue.inlineLimitBytes)
    "retryOn" $values.queue.retryOn)
  "pod" (dict
    "port" (int $values.pod.port)
    "maxConcurrency" (int $values.pod.max_concurrency)
    "requestTimeoutSeconds" $timeout
    "terminationGracePeriodSeconds" 60)
  "probes" (include "cortex-async.glue-probes" . | fromJsonArray)
  "gateway" (dict
    "port" 8888
    "endpoint" (printf "/%s" $name)
    "maxPayloadMiB" (int $values.gateway.maxPayloadMiB)
    "sensitiveHeaders" $values.gateway.sensitiveHeaders)
  "dispatcher" (dict "adminPort" 15000)
  | toPrettyJson -}}
{{- end }}
