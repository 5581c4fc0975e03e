{{- /* Annotations that make an object a hook, which must be there before the rest of the release.
With the emulator nothing is a hook: the Job then has to wait for what the release itself brings.
Input: list of root context, weight, whether it is needed after an uninstallation too. */}}
{{- define "cortex-async.hook" -}}
{{- $values := (index . 0).Values -}}
{{- if not $values.emulator.enabled -}}
{{- $provisioning := $values.provision.enabled | ternary (list "pre-install" "pre-upgrade") list -}}
{{- $deleting := and $values.queue.deleteOnUninstall (index . 2) | ternary (list "post-delete") list -}}
helm.sh/hook: {{ concat $provisioning $deleting | join "," }}
helm.sh/hook-weight: {{ index . 1 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
{{- end }}

{{- /* Whether there is anything to provision or to delete: "true" or nothing. Input: the root context. */}}
{{- define "cortex-async.has-jobs" -}}
{{- if or .Values.provision.enabled (and .Values.queue.deleteOnUninstall (not .Values.emulator.enabled)) }}true{{ end -}}
{{- end }}

{{- /* How a hook's Job ends: its log goes to the terminal of helm, and then nothing of it stays. No input. */}}
{{- define "cortex-async.job-hook" -}}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
helm.sh/hook-output-log-policy: hook-failed
{{- end }}

{{- /* Fields of a Job of provision. Input: list of root context, arguments of provision. */}}
{{- define "cortex-async.provision-job" -}}
{{- $settings := (index . 0).Values.provision -}}
{{- $deadline := int $settings.activeDeadlineSeconds -}}
{{- /* half a minute for its image and its start; beside the emulator, whose image may take as long as its own, all else */}}
{{- $wait := (index . 0).Values.emulator.enabled | ternary (sub $deadline 30) (min 75 (sub $deadline 30)) | max 0 -}}
backoffLimit: {{ int $settings.backoffLimit }}
activeDeadlineSeconds: {{ $deadline }}
podFailurePolicy:
  rules:
    {{- /* a pod that its node lost is none of the tries */}}
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True" # optional only from Kubernetes 1.30 on
    {{- /* provision has waited for what may pass: what it says now, it would say again */}}
    - action: FailJob
      onExitCodes:
        containerName: provision
        operator: In
        values: [1, 2]
template: {{- include "cortex-async.provision-pod" (list (index . 0) (prepend (index . 1) (printf "--wait=%d" $wait))) | nindent 2 }}
{{- end }}

{{- /* Pod of a Job. Input: list of root context, arguments of provision. */}}
{{- define "cortex-async.provision-pod" -}}
{{- $root := index . 0 -}}
{{- $settings := $root.Values.provision -}}
{{- $account := include "cortex-async.service-account" (list $root $settings.serviceAccount "-provision") -}}
metadata:
  labels: {{- include "cortex-async.pod-labels" (list $root "provision" dict) | nindent 4 }}
spec:
  {{- include "cortex-async.pod-basics" (list $root $account) | nindent 2 }}
  automountServiceAccountToken: false
  restartPolicy: Never
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  {{- include "cortex-async.scheduling" (list $root "provision" (pick $root.Values.gateway "nodeSelector" "tolerations") list) | trim | nindent 2 }}
  containers:
    - {{- include "cortex-async.glue-container" (list $root "provision" $settings.resources (index . 1)) | nindent 6 }}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        - {{- include "cortex-async.config-mount" . | nindent 10 }}
  volumes:
    - {{- include "cortex-async.config-volume" (printf "api-%s-provision" (include "cortex-async.name" $root)) | nindent 6 }}
{{- end }}
