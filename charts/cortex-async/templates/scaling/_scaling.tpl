{{- /* Whether KEDA scales the API: "true" or nothing. Input: the root context. */}}
{{- define "cortex-async.keda" -}}
{{- $engine := .Values.autoscaling.engine -}}
{{- $there := .Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject" -}}
{{- if or (eq $engine "keda") (and (eq $engine "auto") $there) }}true{{ end -}}
{{- end }}

{{- /* Requests in flight for which there is to be one replica, as JSON. Input: the root context. */}}
{{- define "cortex-async.targetInFlight" -}}
{{- .Values.autoscaling.target_in_flight | default .Values.pod.max_concurrency | float64 | toJson -}}
{{- end }}

{{- /* Replicas that the Deployment itself names, or nothing: without hooks, and where nothing scales, there is nobody else
to set them. Input: the root context. */}}
{{- define "cortex-async.fixedReplicas" -}}
{{- $scaling := .Values.autoscaling -}}
{{- if and .Values.gitops.enabled (eq $scaling.engine "none") -}}
{{- kindIs "invalid" $scaling.init_replicas | ternary $scaling.min_replicas $scaling.init_replicas | int -}}
{{- end -}}
{{- end }}

{{- /* Replicas that a new API is given beyond the one that a Deployment begins with, or nothing: the HPA raises it to
min_replicas by itself. Input: the root context. */}}
{{- define "cortex-async.initialReplicas" -}}
{{- $scaling := .Values.autoscaling -}}
{{- $first := int (max 1 $scaling.min_replicas) -}}
{{- if include "cortex-async.keda" . }}{{ $first = 1 }}{{ end -}}
{{- if not (kindIs "invalid" $scaling.init_replicas) }}{{ $first = int $scaling.init_replicas }}{{ end -}}
{{- if and (ne $first 1) (not (include "cortex-async.fixedReplicas" .)) }}{{ $first }}{{- end -}}
{{- end }}

{{- /* How the HPA moves in one direction. Input: dict of stabilization (a duration), percent (an int), tolerance,
root. */}}
{{- define "cortex-async.hpaRules" -}}
{{- $seconds := include "cortex-async.seconds" .stabilization | int -}}
{{- /* One step in each stabilization period and 10 s, as in the original, whose steps had to hold for that long. The HPA
takes periods of half an hour at the most, and windows of an hour. */ -}}
{{- $period := add $seconds 10 | min 1800 -}}
stabilizationWindowSeconds: {{ min 3600 $seconds }}
selectPolicy: Max
policies:
  {{- if gt (int .percent) 0 }}
  - type: Percent
    value: {{ .percent }}
    periodSeconds: {{ $period }}
  {{- end }}
  - type: Pods
    value: 1
    periodSeconds: {{ $period }}
{{- if semverCompare ">=1.35-0" .root.Capabilities.KubeVersion.Version }}
{{- /* as KEDA writes it when it adds its finalizer: any other spelling would be its own change, and conflict */}}
{{- $parts := mulf .tolerance 10000 | addf 0.5 | floor | int }}
{{- if not (mod $parts 10000) }}
tolerance: {{ div $parts 10000 | quote }}
{{- else if not (mod $parts 10) }}
tolerance: {{ div $parts 10 }}m
{{- else }}
tolerance: {{ mul $parts 100 }}u
{{- end }}
{{- end }}
{{- end }}

{{- /* What KEDA reads. Input: the root context. */}}
{{- define "cortex-async.trigger" -}}
{{- $target := include "cortex-async.targetInFlight" . -}}
{{- if eq .Values.autoscaling.trigger "sqs" -}}
type: aws-sqs-queue
metadata:
  queueURL: {{ .Values.queue.url | default (printf "%s-%s" .Values.clusterName (include "cortex-async.name" .)) | quote }}
  queueLength: {{ $target | quote }}
  awsRegion: {{ include "cortex-async.region" . | quote }}
  scaleOnInFlight: "true"
  {{- with (include "cortex-async.endpointUrl" . | fromJson).url }}
  awsEndpoint: {{ . | quote }}
  {{- end }}
authenticationRef:
  name: {{ include "cortex-async.fullname" . }}
{{- else -}}
type: metrics-api
metadata:
  url: {{ include "cortex-async.scalingUrl" . }}
  valueLocation: in_flight
  targetValue: {{ $target | quote }}
  activationTargetValue: "0"
{{- end }}
{{- end }}
