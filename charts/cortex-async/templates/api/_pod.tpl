{{- /* The pod that handles requests: the user's containers and the dispatcher. Input: the root context. */}}
{{- define "cortex-async.api-pod" -}}
{{- $account := include "cortex-async.service-account" (list . .Values.serviceAccount "") -}}
{{- include "cortex-async.pod-basics" (list . $account) }}
automountServiceAccountToken: {{ .Values.automountServiceAccountToken }}
terminationGracePeriodSeconds: {{ include "cortex-async.grace" . }}
securityContext:
  seccompProfile:
    type: RuntimeDefault
  {{- if not (kindIs "invalid" .Values.securityContext.fsGroup) }}
  fsGroup: {{ int64 .Values.securityContext.fsGroup }}
  {{- end }}
{{- include "cortex-async.scheduling" (list . "api" .Values (include "cortex-async.device-tolerations" . | fromJsonArray)) }}
{{- with .Values.node_groups }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: {{ $.Values.nodeGroupLabel.key | quote }}
              operator: In
              values:
                {{- range . }}
                - {{ printf "%s%s" $.Values.nodeGroupLabel.prefix . | quote }}
                {{- end }}
{{- end }}
containers:
  {{- range $index, $container := .Values.pod.containers }}
  - {{- include "cortex-async.user-container" (list $ $container $index) | nindent 4 }}
  {{- end }}
  - {{- include "cortex-async.dispatcher" . | nindent 4 }}
volumes:
  - name: mnt
    emptyDir: {}
  - name: client
    secret:
      secretName: api-{{ include "cortex-async.name" . }}-client
  - {{- include "cortex-async.config-volume" (printf "api-%s" (include "cortex-async.name" .)) | nindent 4 }}
  {{- range $index, $container := .Values.pod.containers }}
  {{- with ($container.compute).shm }}
  - name: shm-{{ $index }}
    emptyDir:
      medium: Memory
      sizeLimit: {{ include "cortex-async.bytes" . | quote }}
  {{- end }}
  {{- end }}
  {{- range .Values.extraVolumes }}
  - {{- include "cortex-async.extra-volume" . | nindent 4 }}
  {{- end }}
{{- end }}

{{- /* The dispatcher: takes requests from the queue to the user's containers. Input: the root context. */}}
{{- define "cortex-async.dispatcher" -}}
{{- include "cortex-async.glue-container" (list . "dispatcher" .Values.dispatcher.resources list) }}
ports:
  - name: admin
    containerPort: 15000
readinessProbe:
  httpGet:
    port: admin
    path: /readyz
  periodSeconds: 5
livenessProbe:
  httpGet:
    port: admin
    path: /healthz
  timeoutSeconds: 5
volumeMounts:
  - name: mnt
    mountPath: /mnt
  - {{- include "cortex-async.config-mount" . | nindent 4 }}
{{- end }}

{{- /* Tolerations for the accelerators that the containers ask for, as a JSON array. Input: the root context. */}}
{{- define "cortex-async.device-tolerations" -}}
{{- $wanted := list -}}
{{- range $device, $settings := .Values.accelerators -}}
  {{- range $.Values.pod.containers -}}
    {{- if get (.compute | default dict) $device }}{{ $wanted = concat $wanted ($settings.tolerations | default list) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- uniq $wanted | toJson -}}
{{- end }}

{{- /* A volume of the user. Input: the volume as the values have it. */}}
{{- define "cortex-async.extra-volume" -}}
{{- $volume := deepCopy . -}}
{{- with (.emptyDir).sizeLimit }}{{ $_ := set $volume.emptyDir "sizeLimit" (include "cortex-async.bytes" .) }}{{ end -}}
{{- toYaml $volume -}}
{{- end }}

{{- /* A number of pods or a percentage of them. Input: the number, or the percentage as a string. */}}
{{- define "cortex-async.share" -}}
{{- kindIs "string" . | ternary (quote .) (toJson .) -}}
{{- end }}

{{- /* Whether a container asks for Inferentia: "true" or nothing. Input: the root context. */}}
{{- define "cortex-async.uses-inf" -}}
{{- range .Values.pod.containers }}{{ if (.compute).inf }}true{{ end }}{{ end -}}
{{- end }}
