{{- /* The pod of the shared gateway. Input: the root context. */}}
{{- define "cortex-operator.gateway-pod" -}}
serviceAccountName: {{ include "cortex-operator.gateway-account" . | quote }}
automountServiceAccountToken: true
{{- include "cortex-operator.pod-defaults" . }}
terminationGracePeriodSeconds: {{ int .Values.gateway.terminationGracePeriodSeconds }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "cortex-operator.gateway-selector-labels" . | nindent 8 }}
containers:
  - {{- include "cortex-operator.gateway-container" . | nindent 4 }}
{{- end }}

{{- /* Its container. Input: the root context. */}}
{{- define "cortex-operator.gateway-container" -}}
name: gateway
image: {{ include "cortex-operator.gateway-image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [python, -m, cortex_async]
{{- $args := list "gateway" "--shared" }}
{{- range .Values.namespaces }}{{ $args = concat $args (list "--namespace" .) }}{{ end }}
args: {{ $args | toJson }}
env:
  - name: CORTEX_VERSION
    value: {{ .Chart.AppVersion | quote }}
  - name: CORTEX_LOG_LEVEL
    value: {{ .Values.logLevel }}
  {{- with .Values.gateway.aws.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.gateway.aws.credentialsSecret }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
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
      {{- /* connections still come until every node knows that the pod stops; the sleep action needs 1.30 */}}
      command: [python, -c, import time; time.sleep(5)]
{{- with .Values.gateway.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "cortex-operator.container-security" . | nindent 2 }}
{{- end }}
