{{- /* What is wrong with how and where the release is installed. Input: the root context. */}}
{{- define "cortex-async.problems.platform" }}
{{- $values := .Values }}
{{- range $part := list "gateway" "dispatcher" "provision" "emulator" }}
{{- $resources := (get $values $part).resources }}
{{- range $resource, $request := $resources.requests }}
{{- $limit := get ($resources.limits | default dict) $resource }}
{{- if and $limit (gt (include "cortex-async.thousandths" $request | float64) (include "cortex-async.thousandths" $limit | float64)) }}
- {{ $part }}.resources.requests.{{ $resource }}: {{ $request }} is more than its limit ({{ $limit }})
{{- end }}
{{- end }}
{{- end }}
{{- range $field, $spreads := dict
  "topologySpreadConstraints" $values.topologySpreadConstraints
  "gateway.topologySpreadConstraints" $values.gateway.topologySpreadConstraints }}
{{- $seen := list }}
{{- range $index, $spread := $spreads }}
{{- $pair := printf "%s with %s" .topologyKey (.whenUnsatisfiable | default "ScheduleAnyway") }}
{{- if has $pair $seen }}
- {{ $field }}[{{ $index }}].topologyKey: {{ $pair }} is there twice
{{- end }}
{{- $seen = append $seen $pair }}
{{- end }}
{{- end }}
{{- $accounts := list }}
{{- $made := list }}
{{- range $component := $values.gateway.shared | ternary (list "api" "provision") (list "api" "gateway" "provision") }}
{{- $field := eq $component "api" | ternary "serviceAccount" (printf "%s.serviceAccount" $component) }}
{{- $settings := (get $values $component | default $values).serviceAccount }}
{{- $account := include "cortex-async.serviceAccountName" (dict "root" $ "component" $component "account" $settings) }}
{{- $isHook := and (eq $component "provision") (include "cortex-async.provisionIsHook" $) }}
{{- if and $settings.create (has $account $accounts) }}
- {{ $field }}.name: {{ $account }} would be made twice; set another name
{{- else if and $isHook (has $account $made) }}
- {{ $field }}.name: {{ $account }} is made by this release, but the Job runs before it; set another name
{{- else if and $settings.create (eq $account "default") }}
- {{ $field }}.name: default is the namespace's own; set {{ $field }}.create to false to use it
{{- else if and $settings.create $isHook }}
{{- /* Helm refuses to take over an object of another release, but a hook it deletes and makes again */}}
{{- $there := lookup "v1" "ServiceAccount" $.Release.Namespace $account }}
{{- if and $there (ne (dig "metadata" "labels" "app.kubernetes.io/instance" "" $there) $.Release.Name) }}
- {{ $field }}.name: {{ $account }} is there and is not this release's; set {{ $field }}.create to false to use it
{{- end }}
{{- end }}
{{- if $settings.create }}
{{- $made = append $made $account }}
{{- end }}
{{- $accounts = append $accounts $account }}
{{- end }}
{{- if and $values.queue.fairnessHeader (hasSuffix ".fifo" ($values.queue.url | default "")) }}
- queue.fairnessHeader: not with a FIFO queue (queue.url), which would handle the requests of each tenant one by one
{{- end }}
{{- $own := printf "s3://%s/%s/" (include "cortex-async.bucket" .) ($values.storage.prefix | default $values.clusterName) }}
{{- range $index, $prefix := $values.gateway.payloadReferences }}
{{- if or (hasPrefix $prefix $own) (hasPrefix $own $prefix) }}
- gateway.payloadReferences[{{ $index }}]: {{ $prefix }} and {{ $own }} overlap, so that callers could read the results of others; name another prefix
{{- end }}
{{- end }}
{{- with $values.securityContext }}
{{- if and (eq .level "restricted") (eq (toString .runAsUser) "0") }}
- securityContext.runAsUser: 0 is root, which securityContext.level restricted does not take; set it to baseline
{{- end }}
{{- end }}
{{- if and $values.networking.httpRoute.enabled (not $values.networking.httpRoute.parentRefs) }}
- networking.httpRoute.parentRefs: at least one Gateway is needed
{{- end }}
{{- with $values.webhooks }}
{{- if and .enabled (not .secretName) }}
- webhooks.secretName: required with webhooks.enabled: without a signature a receiver cannot tell a webhook from a forgery
{{- end }}
{{- if and .enabled (hasPrefix "http:" (.url | default "")) (not .allowPrivateAddresses) }}
- webhooks.url: http is for receivers of one's own network, with webhooks.allowPrivateAddresses; use https
{{- end }}
{{- end }}
{{- if $values.gateway.shared }}
{{- if $values.gateway.apiKeys.secretName }}
- gateway.apiKeys.secretName: not together with gateway.shared, which has no Secrets of the APIs
{{- end }}
{{- if $values.webhooks.enabled }}
- webhooks.enabled: not together with gateway.shared, which has no Secrets of the APIs
{{- end }}
{{- range $field := list "httpRoute" "ingress" }}
{{- if (get $values.networking $field).enabled }}
- networking.{{ $field }}.enabled: not together with gateway.shared, whose routes are those of the cortex-operator chart (gateway.{{ $field }})
{{- end }}
{{- end }}
{{- end }}
{{- if $values.emulator.enabled }}
{{- range $field, $set := dict
  "aws.endpointUrl" $values.aws.endpointUrl
  "aws.credentialsSecret" $values.aws.credentialsSecret
  "queue.url" $values.queue.url
  "networking.istio.enabled" $values.networking.istio.enabled
  "networking.httpRoute.enabled" $values.networking.httpRoute.enabled
  "networking.ingress.enabled" $values.networking.ingress.enabled
  "serviceAccount.annotations" $values.serviceAccount.annotations }}
{{- if $set }}
- {{ $field }}: not together with emulator.enabled, which is for a first try and keeps nothing
{{- end }}
{{- end }}
{{- end }}
{{- end }}
