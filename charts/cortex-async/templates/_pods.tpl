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
