{{- /* api.json: the settings of the glue, as schemas/api.schema.json describes them. Input: the root context. */}}
{{- define "cortex-async.apiJson" -}}
{{- $values := .Values -}}
{{- $name := include "cortex-async.name" . -}}
{{- $queue := printf "%s-%s" $values.clusterName $name -}}
{{- $timeout := $values.pod.request_timeout -}}
{{- with $timeout }}{{ $timeout = include "cortex-async.seconds" . | int }}{{ end -}}
{{- $keys := ternary nil (dict "folder" "/etc/cortex-async-keys" "requestsPerSecond" $values.gateway.apiKeys.requestsPerSecond) (empty $values.gateway.apiKeys.secretName) -}}
{{- $hooks := $values.webhooks -}}
{{- $webhooks := ternary (dict
  "queueName" (printf "%s-webhooks" $queue)
  "events" $hooks.events
  "everyRequest" (not (empty $hooks.url))) nil $hooks.enabled -}}
{{- $delivery := ternary (dict
  "url" $hooks.url
  "folder" "/etc/cortex-async-webhooks"
  "allowedHosts" ($hooks.allowedHosts | default list)
  "allowPrivateAddresses" $hooks.allowPrivateAddresses) nil $hooks.enabled -}}
{{- $redirectOver := $values.gateway.redirectOverMiB -}}
{{- with $redirectOver }}{{ $redirectOver = int . }}{{ end -}}
{{- $maxQueued := $values.gateway.maxQueued -}}
{{- with $maxQueued }}{{ $maxQueued = int . }}{{ end -}}
{{- dict
  "name" $name
  "clusterName" $values.clusterName
  "release" (printf "%s/%s" .Release.Namespace .Release.Name)
  "aws" (dict "region" (include "cortex-async.region" .) "endpointUrl" (include "cortex-async.endpointUrl" . | fromJson).url)
  "storage" (dict
    "bucket" (include "cortex-async.bucket" .)
    "prefix" ($values.storage.prefix | default $values.clusterName)
    "retentionDays" (int $values.storage.retentionDays)
    "payloadReferences" ($values.gateway.payloadReferences | default list))
  "queue" (dict
    "url" $values.queue.url
    "name" $queue
    "deadLetterName" (printf "%s-dead-letter" $queue)
    "maxAttempts" (int $values.queue.maxAttempts)
    "visibilityTimeoutSeconds" (int $values.queue.visibilityTimeoutSeconds)
    "inlineLimitBytes" (int $values.queue.inlineLimitBytes)
    "retryOn" ($values.queue.retryOn | default list)
    "fairnessHeader" $values.queue.fairnessHeader)
  "pod" (dict
    "port" (int $values.pod.port)
    "maxConcurrency" (int $values.pod.max_concurrency)
    "requestTimeoutSeconds" $timeout
    "terminationGracePeriodSeconds" (include "cortex-async.gracePeriod" . | int)
    "cancelPath" $values.pod.cancel_path
    "resultContentTypes" ($values.pod.result_content_types | default list))
  "probes" (include "cortex-async.dispatcherProbes" . | fromJsonArray)
  "gateway" (dict
    "port" 8888
    "adminPort" 15001
    "endpoint" (include "cortex-async.endpoint" .)
    "maxPayloadMiB" (int $values.gateway.maxPayloadMiB)
    "sensitiveHeaders" $values.gateway.sensitiveHeaders
    "maxQueued" $maxQueued
    "apiKeys" $keys
    "allowedOrigins" ($values.gateway.cors.allowedOrigins | default list)
    "redirectOverMiB" $redirectOver
    "uploads" $values.gateway.uploads
    "list" $values.gateway.list
    "requestTimeoutSeconds" $timeout
    "webhooks" $delivery)
  "dispatcher" (dict "adminPort" 15000)
  "scaling" (dict
    "targetInFlight" (include "cortex-async.targetInFlight" . | float64)
    "windowSeconds" (include "cortex-async.seconds" $values.autoscaling.window | int))
  "tracing" (dict
    "endpoint" $values.monitoring.tracing.endpoint
    "sampleRatio" ($values.monitoring.tracing.sampleRatio | float64))
  "webhooks" $webhooks
  | toPrettyJson -}}
{{- end }}

{{- /* cli.yaml: what the CLI and the Python client read inside the containers. Input: the root context. */}}
{{- define "cortex-async.cliYaml" -}}
{{- $client := .Values.client -}}
{{- dict
  "default_environment" $client.environment
  "environments" (list (dict "name" $client.environment "operator_endpoint" $client.operatorEndpoint))
  | toYaml -}}
{{- end }}

{{- /* AWS region. Input: the root context. */}}
{{- define "cortex-async.region" -}}
{{ .Values.aws.region | default "us-east-1" }}
{{- end }}

{{- /* S3 bucket. Input: the root context. */}}
{{- define "cortex-async.bucket" -}}
{{ .Values.aws.bucket | default "cortex-async" }}
{{- end }}

{{- /* Base URL of S3 and SQS as JSON {"url": URL or null}: the emulator's, else aws.endpointUrl. Input: the root context. */}}
{{- define "cortex-async.endpointUrl" -}}
{{- $emulator := printf "http://%s-emulator.%s.svc:4566" (include "cortex-async.fullname" .) .Release.Namespace -}}
{{- dict "url" (.Values.emulator.enabled | ternary $emulator .Values.aws.endpointUrl) | toJson -}}
{{- end }}

{{- /* URL path of the API: one slash before it, none after. Input: the root context. */}}
{{- define "cortex-async.endpoint" -}}
/{{ .Values.networking.endpoint | default (include "cortex-async.name" .) | trimAll "/" }}
{{- end }}
