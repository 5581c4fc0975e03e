{{- /* Rules for reading APIs, and for restarting their replicas. Input: the root context. */}}
{{- define "cortex-operator.reading-rules" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, patch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [list]
- apiGroups: [""]
  resources: [pods, services]
  verbs: [list]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- if .Values.releases.enabled }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list]
{{- end }}
{{- end }}

{{- /* Rules for deploying: all kinds that the chart of an API renders. Input: the root context. */}}
{{- define "cortex-operator.deploying-rules" -}}
{{- $verbs := list "get" "list" "watch" "create" "update" "patch" "delete" -}}
{{- $kinds := list
  (list "" (list "configmaps" "secrets" "services" "serviceaccounts"))
  (list "apps" (list "deployments"))
  (list "batch" (list "jobs"))
  (list "autoscaling" (list "horizontalpodautoscalers"))
  (list "policy" (list "poddisruptionbudgets"))
  (list "networking.k8s.io" (list "networkpolicies" "ingresses"))
  (list "networking.istio.io" (list "virtualservices"))
  (list "gateway.networking.k8s.io" (list "httproutes"))
  (list "keda.sh" (list "scaledobjects" "triggerauthentications"))
  (list "rbac.authorization.k8s.io" (list "roles" "rolebindings"))
  (list "monitoring.coreos.com" (list "podmonitors" "prometheusrules")) -}}
{{- range $kinds }}
- apiGroups: [{{ index . 0 | quote }}]
  resources: {{ index . 1 | toJson }}
  verbs: {{ $verbs | toJson }}
{{- end }}
{{- /* helm reads the log of a hook that failed */}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end }}
