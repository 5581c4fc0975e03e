{{- /* Fields of every pod of the release. Input: list of root context, name of its service account. */}}
{{- define "cortex-async.pod-basics" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ index . 1 | quote }}
enableServiceLinks: false
{{- with uniq (concat ($root.Values.imagePullSecrets | default list) (($root.Values.global).imagePullSecrets | default list)) }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where pods run. Input: list of root context, component, the values that hold nodeSelector and so on,
tolerations to add. */}}
{{- define "cortex-async.scheduling" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $settings := index . 2 -}}
{{- with $settings.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat ($settings.tolerations | default list) (index . 3) }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $settings.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $defaults := dict "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway" }}
  - {{- merge (dict) . $defaults | toYaml | nindent 4 }}
    labelSelector:
      matchLabels: {{- include "cortex-async.selector-labels" (list $root $component) | nindent 8 }}
  {{- end }}
{{- end }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Annotations of a service account: its own, else those of serviceAccount. Input: list of root context, its values. */}}
{{- define "cortex-async.service-account-annotations" -}}
{{- with (index . 1).annotations | default (index . 0).Values.serviceAccount.annotations -}}
{{- toYaml . -}}
{{- end -}}
{{- end }}

{{- /* Annotations by which pods restart when what they read at their start changes: their part of api.json, and the
account's annotations, by which they were given a role. Input: list of root context, values of the service account,
keys of api.json that the pods do not read. */}}
{{- define "cortex-async.checksums" -}}
{{- $config := include "cortex-async.api-json" (index . 0) | fromJson -}}
{{- range slice . 2 }}{{ $config = omit $config . }}{{ end -}}
checksum/api.json: {{ $config | toJson | sha256sum }}
checksum/service-account: {{ include "cortex-async.service-account-annotations" (list (index . 0) (index . 1)) | sha256sum }}
{{- end }}
