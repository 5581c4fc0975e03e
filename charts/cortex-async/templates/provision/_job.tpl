{{- /* Whether provisioning is a hook of Helm: "true" or nothing. With the emulator it is none, since the Job waits for the
emulator, which is part of the release itself; nor with gitops.enabled. Input: the root context. */}}
{{- define "cortex-async.provisionIsHook" -}}
{{- if not (or .Values.emulator.enabled .Values.gitops.enabled) }}true{{ end -}}
{{- end }}

{{- /* Annotations of a hook that runs before the rest of the release, or nothing when it is none.
Input: dict of root, weight, afterUninstall (whether it is needed after an uninstallation too). */}}
{{- define "cortex-async.hook" -}}
{{- $values := .root.Values -}}
{{- if include "cortex-async.provisionIsHook" .root -}}
{{- $provisioning := $values.provision.enabled | ternary (list "pre-install" "pre-upgrade") list -}}
{{- $deleting := and $values.queue.deleteOnUninstall .afterUninstall | ternary (list "post-delete") list -}}
helm.sh/hook: {{ concat $provisioning $deleting | join "," }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
{{- end }}

{{- /* Whether there is anything to provision or to delete: "true" or nothing. Input: the root context. */}}
{{- define "cortex-async.hasJobs" -}}
{{- if or .Values.provision.enabled (and .Values.queue.deleteOnUninstall (include "cortex-async.provisionIsHook" .)) }}true{{ end -}}
{{- end }}

{{- /* How a hook's Job ends: helm prints its log on the terminal, and nothing of it stays. No input. */}}
{{- define "cortex-async.jobHook" -}}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
helm.sh/hook-output-log-policy: hook-failed
{{- end }}

{{- /* Fields of a Job. Input: dict of root, args (arguments of provision). */}}
{{- define "cortex-async.provisionJob" -}}
{{- $settings := .root.Values.provision -}}
{{- $deadline := int $settings.activeDeadlineSeconds -}}
{{- /* half a minute is for the image and the start; with the emulator, whose image may take as long, all else is for the wait */}}
{{- $wait := .root.Values.emulator.enabled | ternary (sub $deadline 30) (min 75 (sub $deadline 30)) | max 0 -}}
{{- $args := prepend .args (printf "--wait=%d" $wait) -}}
backoffLimit: {{ int $settings.backoffLimit }}
activeDeadlineSeconds: {{ $deadline }}
podFailurePolicy:
  rules:
    {{- /* a pod that its node lost is none of the tries */}}
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True" # optional only from Kubernetes 1.30 on
    {{- if not .root.Values.gitops.enabled }}
    {{- /* provision has waited for what may pass: what it says now, it would say again. With gitops.enabled the role may
    come at the same time, so that trying again is worth it */}}
    - action: FailJob
      onExitCodes:
        containerName: provision
        operator: In
        values: [1, 2]
    {{- end }}
template: {{- include "cortex-async.provisionPod" (dict "root" .root "args" $args) | nindent 2 }}
{{- end }}

{{- /* Pod of a Job. Input: dict of root, args (arguments of provision; may be left out). */}}
{{- define "cortex-async.provisionPod" -}}
{{- $values := .root.Values -}}
{{- $account := include "cortex-async.serviceAccountName" (dict "root" .root "component" "provision" "account" $values.provision.serviceAccount) -}}
{{- $container := dict "root" .root "name" "provision" "resources" $values.provision.resources "args" .args -}}
metadata:
  labels: {{- include "cortex-async.podLabels" (dict "root" .root "component" "provision") | nindent 4 }}
spec:
  {{- include "cortex-async.podDefaults" (dict "root" .root "serviceAccountName" $account) | nindent 2 }}
  automountServiceAccountToken: false
  restartPolicy: Never
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  {{- $settings := pick $values.gateway "nodeSelector" "tolerations" }}
  {{- with include "cortex-async.scheduling" (dict "root" .root "component" "provision" "settings" $settings) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  containers:
    - {{ include "cortex-async.glueContainer" $container | nindent 6 | trim }}
      terminationMessagePolicy: FallbackToLogsOnError
      volumeMounts:
        - name: config
          mountPath: /etc/cortex-async
          readOnly: true
  volumes:
    - name: config
      configMap:
        name: {{ include "cortex-async.fullname" .root }}-provision
{{- end }}
