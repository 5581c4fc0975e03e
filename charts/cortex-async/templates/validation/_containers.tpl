{{- /* What is wrong with the containers. Input: the root context. */}}
{{- define "cortex-async.problems.containers" }}
{{- $names := list }}
{{- $devices := list }}
{{- range $index, $container := .Values.pod.containers }}
{{- $field := printf "pod.containers[%d]" $index }}
{{- if has .name $names }}
- {{ $field }}.name: {{ .name }} is the name of another container too
{{- end }}
{{- $names = append $names .name }}
{{- with .compute }}
{{- if and .cpu (lt (include "cortex-async.thousandths" .cpu | float64) 20.0) }}
- {{ $field }}.compute.cpu: {{ .cpu }} is less than 20m
{{- end }}
{{- $mem := include "cortex-async.thousandths" (.mem | default 0) | float64 }}
{{- if and .mem (lt $mem 20971520000.0) }}
- {{ $field }}.compute.mem: {{ .mem }} is less than 20Mi
{{- end }}
{{- $shm := include "cortex-async.thousandths" (.shm | default 0) | float64 }}
{{- if and .shm (eq $shm 0.0) }}
- {{ $field }}.compute.shm: {{ .shm }} is no size; leave it out for the runtime's own
{{- end }}
{{- if and .mem (gt $shm $mem) }}
- {{ $field }}.compute.shm: {{ .shm }} is more than compute.mem ({{ .mem }})
{{- end }}
{{- if and .inf (hasKey . "cpu") (not .cpu) (not .mem) }}
- {{ $field }}.compute.inf: its huge pages need a request for cpu or mem beside them
{{- end }}
{{- if .gpu }}{{ $devices = append $devices "gpu" }}{{ end }}
{{- if .inf }}{{ $devices = append $devices "inf" }}{{ end }}
{{- end }}
{{- end }}
{{- if gt (uniq $devices | len) 1 }}
- pod.containers: compute.gpu and compute.inf exclude each other in one pod
{{- end }}
{{- end }}
