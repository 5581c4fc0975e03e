{{- /* The gateway: accepts requests over HTTP. Input: the root context. */}}
{{- define "cortex-async.gateway" -}}
{{- include "cortex-async.glue-container" (list . "gateway" .Values.gateway.resources list) }}
ports:
  - name: http
    containerPort: 8888
  - name: admin
    containerPort: 15001
readinessProbe:
  httpGet:
    port: http
    path: /readyz
  periodSeconds: 5
livenessProbe:
  httpGet:
    port: http
    path: /healthz
  timeoutSeconds: 5
lifecycle:
  preStop:
    exec:
      {{- /* until every node has heard that the pod is going, connections still come; the sleep action needs 1.30 */}}
      command: [python, -c, import time; time.sleep(5)]
volumeMounts:
  - {{- include "cortex-async.config-mount" . | nindent 4 }}
{{- end }}
