{{- /* What the operator is told: the document that glue/cortex_operator/config.py reads. Input: the root context. */}}
{{- define "cortex-operator.config" -}}
{{- $values := .Values -}}
{{- $tokenFile := $values.auth.tokenSecret -}}
{{- with $tokenFile }}{{ $tokenFile = "/etc/cortex-operator/token/token" }}{{ end -}}
{{- $gateway := dict -}}
{{- if $values.gateway.enabled -}}
{{- $gateway = dict "url" (printf "http://%s.%s.svc.cluster.local" $values.gateway.service.name .Release.Namespace) "namespace" .Release.Namespace -}}
{{- end -}}
{{- dict
  "port" 8888
  "clusterName" $values.clusterName
  "region" $values.region
  "namespaces" ($values.namespaces | default list)
  "servedVersions" $values.servedVersions
  "anonymous" ($values.auth.anonymous | default list)
  "tokenFile" $tokenFile
  "sts" (dict "accounts" ($values.auth.sts.accounts | default list) "endpointUrl" $values.auth.sts.endpointUrl)
  "releases" (or $values.releases.enabled $values.deploy.enabled)
  "endpointUrl" $values.apis.endpointUrl
  "gatewayUrl" $gateway.url
  "gatewayNamespace" $gateway.namespace
  "deadLetters" $values.deadLetters.enabled
  "publicUrl" $values.publicUrl
  "logUrl" $values.logUrl
  "deploy" (dict
    "enabled" $values.deploy.enabled
    "namespaces" ($values.deploy.namespaces | default list)
    "values" ($values.deploy.values | default dict)
    "timeoutSeconds" (int $values.deploy.timeoutSeconds))
  | toPrettyJson -}}
{{- end }}
