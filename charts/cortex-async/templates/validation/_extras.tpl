{{- /* What is wrong with extra variables, volumes and mounts. Input: the root context. */}}
{{- define "cortex-async.problems.extras" }}
{{- $values := .Values }}
{{- $names := list }}
{{- range $index, $variable := $values.extraEnv }}
{{- if has .name $names }}
- extraEnv[{{ $index }}].name: {{ .name }} is there twice
{{- end }}
{{- $names = append $names .name }}
{{- range $number, $container := $values.pod.containers }}
{{- if hasKey (.env | default dict) $variable.name }}
- extraEnv[{{ $index }}].name: {{ $variable.name }} is in pod.containers[{{ $number }}].env too
{{- end }}
{{- end }}
{{- end }}
{{- $names = $values.emulator.enabled | ternary (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") list }}
{{- range $index, $variable := $values.aws.extraEnv }}
{{- if has .name $names }}
- aws.extraEnv[{{ $index }}].name: {{ .name }} is there twice
{{- end }}
{{- $names = append $names .name }}
{{- end }}
{{- $volumes := list }}
{{- range $index, $volume := $values.extraVolumes }}
{{- if has .name $volumes }}
- extraVolumes[{{ $index }}].name: {{ .name }} is the name of another volume too
{{- end }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- $paths := list "/mnt" "/cortex/client" "/dev/shm" }}
{{- range $index, $mount := $values.extraVolumeMounts }}
{{- if not (has .name $volumes) }}
- extraVolumeMounts[{{ $index }}].name: {{ .name }} is none of extraVolumes
{{- end }}
{{- if has .mountPath $paths }}
- extraVolumeMounts[{{ $index }}].mountPath: {{ .mountPath }} is taken
{{- end }}
{{- $paths = append $paths .mountPath }}
{{- end }}
{{- end }}
