{{- /* What is wrong with who may connect to whom. Input: the root context. */}}
{{- define "cortex-async.problems.network" }}
{{- $policy := .Values.networkPolicy }}
{{- $fields := pick $policy "gatewayFrom" "dispatcherFrom" "monitoringFrom" "kedaFrom" }}
{{- range $name, $peers := pick $policy.egress "dnsTo" "awsTo" }}
{{- $fields = set $fields (printf "egress.%s" $name) $peers }}
{{- end }}
{{- range $index, $rule := $policy.egress.podsTo }}
{{- $fields = set $fields (printf "egress.podsTo[%d].to" $index) $rule.to }}
{{- end }}
{{- range $field, $peers := $fields }}
{{- range $index, $peer := $peers }}
{{- with $peer.ipBlock }}
{{- if include "cortex-async.hasHostBits" .cidr }}
- networkPolicy.{{ $field }}[{{ $index }}].ipBlock.cidr: {{ .cidr }} has bits beyond its prefix; write the first address of the range
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $policy.enabled $policy.egress.enabled (not $policy.egress.awsPorts) }}
{{- range $index, $variable := .Values.aws.extraEnv }}
{{- if has (upper .name) (list "HTTPS_PROXY" "HTTP_PROXY" "ALL_PROXY") }}
- networkPolicy.egress.awsPorts: required beside {{ .name }} in aws.extraEnv: the port of that proxy
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether an address has bits beyond its prefix, as 10.0.0.1/8 does: "true" or nothing. Input: the range. */}}
{{- define "cortex-async.hasHostBits" -}}
{{- $address := index (splitList "/" .) 0 -}}
{{- $prefix := index (splitList "/" .) 1 | int -}}
{{- $numbers := list -}}
{{- $width := 8 -}}
{{- if contains ":" $address -}}
  {{- $width = 16 -}}
  {{- /* :: stands for as many zeros as are missing of eight groups */}}
  {{- $halves := splitList "::" $address -}}
  {{- $before := without (splitList ":" (first $halves)) "" -}}
  {{- $after := without (splitList ":" (rest $halves | join "")) "" -}}
  {{- range $before }}{{ $numbers = append $numbers (int64 (printf "0x%s" .)) }}{{ end -}}
  {{- range until (sub 8 (add (len $before) (len $after)) | int) }}{{ $numbers = append $numbers 0 }}{{ end -}}
  {{- range $after }}{{ $numbers = append $numbers (int64 (printf "0x%s" .)) }}{{ end -}}
{{- else -}}
  {{- range splitList "." $address }}{{ $numbers = append $numbers (int64 .) }}{{ end -}}
{{- end -}}
{{- $found := false -}}
{{- range $index, $number := $numbers -}}
  {{- $kept := sub $prefix (mul $width $index) | max 0 | min $width -}}
  {{- $step := 1 -}}
  {{- range until (sub $width $kept | int) }}{{ $step = mul 2 $step }}{{ end -}}
  {{- if mod $number $step }}{{ $found = true }}{{ end -}}
{{- end -}}
{{- if $found }}true{{ end -}}
{{- end }}
