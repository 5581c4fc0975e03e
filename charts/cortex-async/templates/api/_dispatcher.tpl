{{- /* The dispatcher: takes requests from the queue to the user's containers. Input: the root context. */}}
{{- define "cortex-async.dispatcher" -}}
name: dispatcher
image: {{ include "cortex-async.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [python, -m, cortex_async]
args: [dispatcher, --config, /etc/cortex-async/api.json]
ports:
  - name: admin
    containerPort: 15000
readinessProbe:
  httpGet:
    port: admin
    path: /readyz
livenessProbe:
  httpGet:
    port: admin
    path: /healthz
resources:
  requests:
    cpu: 100m
    memory: 100Mi
volumeMounts:
  - name: mnt
    mountPath: /mnt
  - name: config
    mountPath: /etc/cortex-async
    readOnly: true
{{- end }}
