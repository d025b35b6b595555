{{/*
What is so about each component, whatever the values: the gRPC services that it answers, by which routes find it, and the topics that its consumer
group, which is named after it, reads.
*/}}
{{- define "millwright.facts" -}}
ingestion:
  grpc: [millwright.telemetry.v1.IngestionService, millwright.production.v1.ProductionService]
  consumes: []
features:
  grpc: [millwright.features.v1.FeatureService]
  consumes: [telemetry.v1]
inference:
  grpc: [millwright.inference.v1.ModelService]
  consumes: [features.v1]
quality:
  grpc: [millwright.quality.v1.QualityService]
  consumes: [features.v1, production.v1]
alerting:
  grpc: [millwright.alarm.v1.AlarmService]
  consumes: [inferences.v1, quality.v1, alarm-commands.v1]
standalone:
  grpc:
    - millwright.telemetry.v1.IngestionService
    - millwright.production.v1.ProductionService
    - millwright.features.v1.FeatureService
    - millwright.inference.v1.ModelService
    - millwright.quality.v1.QualityService
    - millwright.alarm.v1.AlarmService
  consumes: []
{{- end }}

{{/*
The components that are enabled, each with its facts and with what `defaults` say where it says nothing: a key of its own replaces the default whole,
so that 0, false and {} count; env and podLabels are merged.
*/}}
{{- define "millwright.components" -}}
{{- $facts := fromYaml (include "millwright.facts" .) -}}
{{- $components := dict -}}
{{- range $name, $own := .Values.components -}}
{{- if $own.enabled -}}
{{- $component := deepCopy $.Values.defaults -}}
{{- range $key, $value := omit $own "env" "podLabels" -}}
{{- $_ := set $component $key $value -}}
{{- end -}}
{{- range $key := list "env" "podLabels" -}}
{{- $_ := set $component $key (mergeOverwrite (deepCopy (get $.Values.defaults $key)) (get $own $key | default dict)) -}}
{{- end -}}
{{- $_ := set $component "facts" (get $facts $name) -}}
{{- $_ := set $component "gpu" ($own.gpu | default (dict "count" 0)) -}}
{{- $_ := set $components $name $component -}}
{{- end -}}
{{- end -}}
{{- toYaml $components -}}
{{- end }}
