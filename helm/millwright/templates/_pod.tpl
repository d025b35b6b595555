{{/* How to reach Kafka: variables of the environment. */}}
{{- define "millwright.kafkaEnv" -}}
{{- with .Values.kafka -}}
- name: KAFKA_BROKERS
  value: {{ join "," .brokers | quote }}
- name: MILLWRIGHT_PARTITIONS
  value: {{ .partitions | quote }}
- name: KAFKA_SECURITY_PROTOCOL
  value: {{ .securityProtocol }}
{{- if and (hasSuffix "SSL" .securityProtocol) .tls.secret }}
- name: KAFKA_TLS_CA_FILE
  value: /tls/kafka/{{ .tls.caKey }}
{{- if .tls.certKey }}
- name: KAFKA_TLS_CERT_FILE
  value: /tls/kafka/{{ .tls.certKey }}
- name: KAFKA_TLS_KEY_FILE
  value: /tls/kafka/{{ .tls.keyKey }}
{{- end }}
{{- end }}
{{- if hasPrefix "SASL" .securityProtocol }}
- name: KAFKA_SASL_MECHANISM
  value: {{ .sasl.mechanism }}
- name: KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef: { name: {{ .sasl.secret }}, key: {{ .sasl.usernameKey }} }
- name: KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef: { name: {{ .sasl.secret }}, key: {{ .sasl.passwordKey }} }
{{- end }}
{{- end }}
{{- end }}

{{- define "millwright.redisEnv" -}}
{{- with .Values.redis -}}
- name: REDIS_URL
{{- if .urlSecret.name }}
  valueFrom:
    secretKeyRef: { name: {{ .urlSecret.name }}, key: {{ .urlSecret.key }} }
{{- else }}
  value: {{ .url | quote }}
{{- end }}
{{- if .tls.secret }}
- name: REDIS_TLS_CA_FILE
  value: /tls/redis/{{ .tls.caKey }}
{{- if .tls.certKey }}
- name: REDIS_TLS_CERT_FILE
  value: /tls/redis/{{ .tls.certKey }}
- name: REDIS_TLS_KEY_FILE
  value: /tls/redis/{{ .tls.keyKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Volumes that are the same in every pod, as a list of name and source. Dot: dict root, component, clustered. */}}
{{- define "millwright.volumes" -}}
{{- with .root.Values }}
{{- if .plant.volume }}
- name: plant
  {{- toYaml .plant.volume | nindent 2 }}
{{- end }}
{{- if and .registry.enabled (has $.component (list "inference" "standalone")) }}
- name: registry
  persistentVolumeClaim: { claimName: {{ include "millwright.registryClaim" $.root }}, readOnly: true }
{{- end }}
{{- if and $.clustered (hasSuffix "SSL" .kafka.securityProtocol) .kafka.tls.secret }}
- name: kafka-tls
  secret: { secretName: {{ .kafka.tls.secret }} }
{{- end }}
{{- if and $.clustered .redis.tls.secret }}
- name: redis-tls
  secret: { secretName: {{ .redis.tls.secret }} }
{{- end }}
{{- if .grpc.tls.enabled }}
- name: grpc-tls
  secret: { secretName: {{ include "millwright.grpcSecret" $ }} }
{{- end }}
{{- end }}
{{- end }}

{{/* Where a volume is mounted, by its name. */}}
{{- define "millwright.mountPath" -}}
{{ get (dict "plant" "/plant" "registry" "/registry" "kafka-tls" "/tls/kafka" "redis-tls" "/tls/redis" "grpc-tls" "/tls/grpc") . }}
{{- end }}

{{- define "millwright.registryClaim" -}}
{{ .Values.registry.existingClaim | default (printf "%s-registry" (include "millwright.fullname" .)) }}
{{- end }}

{{- define "millwright.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "millwright.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* The pod of a component. Dot: dict root, name, component. */}}
{{- define "millwright.pod" -}}
{{- $root := .root }}
{{- $values := .root.Values }}
{{- $name := .name }}
{{- $c := .component }}
{{- $clustered := ne $name "standalone" }}
{{- $volumes := fromYamlArray (include "millwright.volumes" (dict "root" $root "component" $name "clustered" $clustered)) -}}
metadata:
  labels:
    {{- include "millwright.labels" (dict "root" $root "component" $name) | nindent 4 }}
    {{- with $c.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or $c.podAnnotations $values.plant.revision }}
  annotations:
    {{- with $values.plant.revision }}
    millwright/plant-revision: {{ . | quote }}
    {{- end }}
    {{- with $c.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "millwright.serviceAccountName" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "millwright.podSecurity" . | nindent 4 }}
  terminationGracePeriodSeconds: {{ $c.terminationGracePeriodSeconds }}
  {{- with $c.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $c.gpu.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- with $c.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $c.topologyKeys }}
  topologySpreadConstraints:
    {{- range . }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "millwright.selector" (dict "root" $root "component" $name) | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  containers:
    - name: {{ $name }}
      image: {{ include "millwright.image" (dict "root" $root "name" (ternary (printf "%s-cuda" $name) $name (gt (int $c.gpu.count) 0))) }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      securityContext:
        {{- include "millwright.containerSecurity" . | nindent 8 }}
      ports:
        - { name: grpc, containerPort: 50051 }
        - { name: http, containerPort: 8080 }
      env:
        - name: MILLWRIGHT_INSTANCE
          valueFrom:
            fieldRef: { fieldPath: metadata.name }
        - name: MILLWRIGHT_PLANT
          value: {{ $values.plant.file | quote }}
        {{- if $clustered }}
        {{- include "millwright.kafkaEnv" $root | nindent 8 }}
        {{- include "millwright.redisEnv" $root | nindent 8 }}
        {{- else }}
        - name: MILLWRIGHT_PARTITIONS
          value: {{ $values.kafka.partitions | quote }}
        - name: MILLWRIGHT_LOG_FILE
          value: /data/log.db
        {{- end }}
        {{- if $values.grpc.tls.enabled }}
        - name: GRPC_TLS_CERT_FILE
          value: /tls/grpc/tls.crt
        - name: GRPC_TLS_KEY_FILE
          value: /tls/grpc/tls.key
        {{- if $values.grpc.tls.mutual }}
        - name: GRPC_TLS_CA_FILE
          value: /tls/grpc/ca.crt
        {{- end }}
        {{- end }}
        {{- if and $values.registry.enabled (has $name (list "inference" "standalone")) }}
        - name: MILLWRIGHT_REGISTRY
          value: /registry
        {{- end }}
        - name: LOG_LEVEL
          value: {{ $values.telemetry.logLevel }}
        {{- with $values.telemetry.otlpEndpoint }}
        - name: OTEL_EXPORTER_OTLP_ENDPOINT
          value: {{ . | quote }}
        - name: OTEL_TRACES_SAMPLER_ARG
          value: {{ $values.telemetry.sampling | quote }}
        {{- end }}
        {{- if gt (int $c.gpu.count) 0 }}
        - name: INFERENCE_DEVICE
          value: cuda
        {{- end }}
        {{- range $key, $value := $c.env }}
        - name: {{ $key }}
          value: {{ $value | quote }}
        {{- end }}
      resources:
        {{- $resources := deepCopy $c.resources }}
        {{- if gt (int $c.gpu.count) 0 }}
        {{- $_ := set $resources "limits" (merge (dict $c.gpu.resource (int $c.gpu.count)) ($resources.limits | default dict)) }}
        {{- end }}
        {{- toYaml $resources | nindent 8 }}
      # The server listens before partitions are assigned; until then it has a minute.
      startupProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 1
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
      # Often, since an upgrade waits for it; given up slowly, since Kafka may be away for seconds.
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 1
        timeoutSeconds: 5
        failureThreshold: 6
      {{- if gt (int $c.preStopSeconds) 0 }}
      lifecycle:
        preStop:
          sleep: { seconds: {{ $c.preStopSeconds }} }
      {{- end }}
      {{- if or $volumes $c.volume }}
      volumeMounts:
        {{- range $volumes }}
        - { name: {{ .name }}, mountPath: {{ include "millwright.mountPath" .name }}, readOnly: true }
        {{- end }}
        {{- if $c.volume }}
        - { name: data, mountPath: /data }
        {{- end }}
      {{- end }}
  {{- with $volumes }}
  volumes:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
