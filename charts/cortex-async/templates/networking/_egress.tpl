{{- /* What the pods of a component may connect to, as the items of a NetworkPolicy's egress.
Input: dict of root, more (items beside DNS and AWS; may be left out), traces (whether they send spans). */}}
{{- define "cortex-async.egress" -}}
{{- $settings := .root.Values.networkPolicy.egress -}}
- ports:
    {{- range $port := $settings.dnsPorts }}
    {{- range list "UDP" "TCP" }}
    - port: {{ int $port }}
      protocol: {{ . }}
    {{- end }}
    {{- end }}
  {{- with $settings.dnsTo }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .root.Values.emulator.enabled }}
- ports:
    - port: 4566
      protocol: TCP
  to:
    - podSelector:
        matchLabels: {{- include "cortex-async.selectorLabels" (dict "root" .root "component" "emulator") | nindent 10 }}
{{- else }}
- ports:
    {{- range include "cortex-async.awsPorts" .root | fromJsonArray }}
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
  to: {{- $settings.awsTo | default (include "cortex-async.notLinkLocal" .root | fromJsonArray) | toYaml | nindent 4 }}
{{- end }}
{{- $agents := list -}}
{{- if $settings.podIdentity }}{{ $agents = concat $agents (list "169.254.170.23/32" "fd00:ec2::23/128") }}{{ end -}}
{{- if $settings.instanceMetadata }}{{ $agents = concat $agents (list "169.254.169.254/32" "fd00:ec2::254/128") }}{{ end -}}
{{- with $agents }}
- ports:
    - port: 80
      protocol: TCP
  to:
    {{- range . }}
    - ipBlock:
        cidr: {{ . }}
    {{- end }}
{{- end }}
{{- with and .traces .root.Values.monitoring.tracing.endpoint }}
- ports:
    - port: {{ include "cortex-async.portOf" . }}
      protocol: TCP
  to: {{- include "cortex-async.notLinkLocal" $.root | fromJsonArray | toYaml | nindent 4 }}
{{- end }}
{{- with .more }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Ports of S3, SQS and STS, as a JSON array. Input: the root context. */}}
{{- define "cortex-async.awsPorts" -}}
{{- $own := include "cortex-async.portOf" (.Values.aws.endpointUrl | default "https:") -}}
{{- .Values.networkPolicy.egress.awsPorts | default (list $own) | toJson -}}
{{- end }}

{{- /* Port of a URL. Input: the URL. */}}
{{- define "cortex-async.portOf" -}}
{{- regexFind ":[0-9]+$" (get (urlParse .) "host") | trimPrefix ":" | default (hasPrefix "https:" . | ternary "443" "80") -}}
{{- end }}

{{- /* Everyone but link-local addresses and AWS's services of the node, as a JSON array of peers. No input. */}}
{{- define "cortex-async.notLinkLocal" -}}
{{- list
  (dict "ipBlock" (dict "cidr" "0.0.0.0/0" "except" (list "169.254.0.0/16")))
  (dict "ipBlock" (dict "cidr" "::/0" "except" (list "fe80::/10" "fd00:ec2::/32")))
  | toJson -}}
{{- end }}

{{- /* Where the gateway may send webhooks, as a JSON array of rules. Input: the root context. */}}
{{- define "cortex-async.webhooksTo" -}}
{{- $rules := list -}}
{{- if .Values.webhooks.enabled -}}
  {{- $ports := list -}}
  {{- range .Values.networkPolicy.egress.webhookPorts }}{{ $ports = append $ports (dict "port" (int .) "protocol" "TCP") }}{{ end -}}
  {{- $rules = list (dict "ports" $ports "to" (include "cortex-async.notLinkLocal" . | fromJsonArray)) -}}
{{- end -}}
{{- toJson $rules -}}
{{- end }}

{{- /* What the API's pods may connect to beside DNS and AWS, as a JSON array of rules. Input: the root context. */}}
{{- define "cortex-async.podsTo" -}}
{{- $rules := list -}}
{{- range .Values.networkPolicy.egress.podsTo -}}
  {{- $ports := list -}}
  {{- range .ports }}{{ $ports = append $ports (dict "port" (int .port) "protocol" (.protocol | default "TCP")) }}{{ end -}}
  {{- $rule := dict -}}
  {{- with .to }}{{ $_ := set $rule "to" . }}{{ end -}}
  {{- with $ports }}{{ $_ := set $rule "ports" . }}{{ end -}}
  {{- $rules = append $rules $rule -}}
{{- end -}}
{{- toJson $rules -}}
{{- end }}
