{{- /* What is wrong with the name, the account and the queue. Input: the root context. */}}
{{- define "cortex-async.problems.release" }}
{{- $name := include "cortex-async.name" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,40}[a-z0-9])?$" $name) }}
- name: the release name {{ $name }} is not a DNS-1035 label of at most 42 characters; set name
{{- end }}
{{- if and .Chart.IsRoot (not .Values.enabled) }}
- enabled: only the condition of a parent chart reads it; helm uninstall takes a release away
{{- end }}
{{- if not (or .Chart.IsRoot .Values.name) }}
- name: required below a parent chart, where the release is not this API alone
{{- end }}
{{- if or (hasSuffix "-dead-letter" $name) (hasSuffix "-webhooks" $name) }}
- name: {{ $name }} ends as the queues of dead letters and webhooks of other APIs do; set another name
{{- end }}
{{- range $key := list "region" "bucket" }}
{{- if not (or $.Values.emulator.enabled (get $.Values.aws $key)) }}
- aws.{{ $key }}: required, unless emulator.enabled
{{- end }}
{{- end }}
{{- if not (or .Values.emulator.enabled .Values.image.repository) }}
- image.repository: required, since no image of the glue is published: build it (make package-image IMAGE=<your registry>/cortex-async:{{ .Chart.AppVersion }}), push it, and set image.repository to <your registry>/cortex-async
{{- end }}
{{- if .Values.gitops.enabled }}
{{- if .Values.queue.deleteOnUninstall }}
- queue.deleteOnUninstall: a Helm hook does that, and gitops.enabled leaves hooks out; delete the queues by hand
{{- end }}
{{- if eq .Values.autoscaling.engine "auto" }}
- autoscaling.engine: auto looks into the cluster, so that what gitops.enabled renders would depend on who renders it; set keda or none
{{- else if include "cortex-async.initialReplicas" . }}
- autoscaling.init_replicas: a Helm hook sets the first replicas ({{ include "cortex-async.initialReplicas" . }}), and gitops.enabled leaves hooks out; leave it out, and let KEDA see to min_replicas
{{- end }}
{{- end }}
{{- if and .Values.queue.url .Values.queue.deleteOnUninstall }}
- queue.deleteOnUninstall: the queue of queue.url was made by something else, which has to delete it
{{- end }}
{{- end }}
