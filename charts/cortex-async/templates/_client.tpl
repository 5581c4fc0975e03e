{{- /* cli.yaml: what the CLI and the Python client read inside the containers. Input: the root context. */}}
{{- define "cortex-async.cli-yaml" -}}
{{- $client := .Values.client -}}
{{- dict
  "default_environment" $client.environment
  "environments" (list (dict "name" $client.environment "operator_endpoint" $client.operatorEndpoint))
  | toYaml -}}
{{- end }}
