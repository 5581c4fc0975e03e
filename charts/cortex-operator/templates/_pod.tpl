{{- /* The operator's pod. Input: the root context. */}}
{{- define "cortex-operator.pod" -}}
serviceAccountName: {{ include "cortex-operator.service-account" . | quote }}
automountServiceAccountToken: true
{{- include "cortex-operator.pod-defaults" . }}
{{- /* a run of helm is finished before the pod goes */}}
terminationGracePeriodSeconds: {{ .Values.deploy.enabled | ternary (add 60 (int .Values.deploy.timeoutSeconds)) 30 }}
containers:
  - {{- include "cortex-operator.container" . | nindent 4 }}
volumes:
  - name: config
    configMap:
      name: {{ include "cortex-operator.name" . | quote }}
  - name: scratch
    emptyDir: {}
  {{- with .Values.auth.tokenSecret }}
  - name: token
    secret:
      secretName: {{ . | quote }}
      items:
        - key: {{ $.Values.auth.tokenKey | quote }}
          path: token
  {{- end }}
{{- end }}

{{- /* Fields that every pod of the release has, after a line. Input: the root context. */}}
{{- define "cortex-operator.pod-defaults" }}
enableServiceLinks: false
{{- with uniq (concat (.Values.imagePullSecrets | default list) ((.Values.global).imagePullSecrets | default list)) }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  seccompProfile:
    type: RuntimeDefault
{{- range $key := list "nodeSelector" "tolerations" }}
{{- with index $.Values $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* Security context of containers: Pod Security restricted, and a read-only root file system. Input: the root context. */}}
{{- define "cortex-operator.container-security" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- with .Values.image.runAsUser }}
runAsUser: {{ int . }}
runAsGroup: {{ int . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- /* The operator's container. Input: the root context. */}}
{{- define "cortex-operator.container" -}}
name: operator
image: {{ include "cortex-operator.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [--config, /etc/cortex-operator/config/operator.json]
env:
  - name: CORTEX_LOG_LEVEL
    value: {{ .Values.logLevel }}
{{- if .Values.deadLetters.enabled }}
  {{- with .Values.deadLetters.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.deadLetters.credentialsSecret }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
{{- end }}
ports:
  - name: http
    containerPort: 8888
{{- range $probe := list "readinessProbe" "livenessProbe" }}
{{ $probe }}:
  httpGet:
    path: /healthz
    port: http
  periodSeconds: 10
  failureThreshold: 3
{{- end }}
{{- with .Values.resources }}
resources: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "cortex-operator.container-security" . | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/cortex-operator/config
    readOnly: true
  {{- /* where helm keeps values files and caches while it runs */}}
  - name: scratch
    mountPath: /tmp
  {{- if .Values.auth.tokenSecret }}
  - name: token
    mountPath: /etc/cortex-operator/token
    readOnly: true
  {{- end }}
{{- end }}
