{{- define "millwright.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* What selects all pods of the release; with `component`, those of one. Dot: dict root, component. */}}
{{- define "millwright.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "millwright.labels" -}}
{{ include "millwright.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: millwright
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Dot: dict root, name (of the image). */}}
{{- define "millwright.image" -}}
{{- with .root.Values.image -}}
{{ .repository }}/{{ $.name }}:{{ .tag | default $.root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "millwright.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "millwright.fullname" .) }}
{{- end }}

{{/* Name of the secret with the gRPC certificate of a component. Dot: dict root, component. */}}
{{- define "millwright.grpcSecret" -}}
{{ .root.Values.grpc.tls.secret | default (printf "%s-%s-grpc" (include "millwright.fullname" .root) .component) }}
{{- end }}
