{{- /* Whether an object of the chaining address is this release's to make: "true", or nothing where another made it.
Input: dict of root, apiVersion, kind, namespace, name. */}}
{{- define "cortex-operator.is-ours" -}}
{{- $there := lookup .apiVersion .kind .namespace .name | default dict -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $there -}}
{{- $place := dig "metadata" "annotations" "meta.helm.sh/release-namespace" "" $there -}}
{{- if or (not $there) (and (eq $owner .root.Release.Name) (eq $place .root.Release.Namespace)) }}true{{ end -}}
{{- end }}

{{- /* Whether the Service of the chaining address is this release's: "true" or nothing. Input: the root context. */}}
{{- define "cortex-operator.chains" -}}
{{- $service := dict "root" . "apiVersion" "v1" "kind" "Service" "namespace" "istio-system" "name" "ingressgateway-apis" -}}
{{- if .Values.chaining.enabled }}{{ include "cortex-operator.is-ours" $service }}{{ end -}}
{{- end }}
