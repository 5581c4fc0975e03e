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
      volumeMounts:
        - {{- include "cortex-async.config-mount" . | nindent 10 }}
  volumes:
    - {{- include "cortex-async.config-volume" (printf "api-%s-provision" (include "cortex-async.name" $root)) | nindent 6 }}
{{- end }}
