{{/* Everything of one component. Dot: dict root, name, component. */}}
{{- define "millwright.component" -}}
{{- include "millwright.workload" . }}
{{- include "millwright.service" . }}
{{- include "millwright.disruption" . }}
{{- include "millwright.autoscaling" . }}
{{- include "millwright.certificate" . }}
{{- include "millwright.networkPolicy" . }}
{{- include "millwright.route" . }}
{{- end }}

{{/* Head of a resource. Dot: dict root, name, kind, apiVersion. */}}
{{- define "millwright.head" }}
---
apiVersion: {{ .apiVersion }}
kind: {{ .kind }}
metadata:
  name: {{ include "millwright.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "millwright.labels" (dict "root" .root "component" .name) | nindent 4 }}
{{- end }}

{{/*
State is hot in memory, with checkpoints in Redis and the truth in Kafka, so a component is a Deployment; one with a volume, whose log is in a file,
is a StatefulSet.
*/}}
{{- define "millwright.workload" -}}
{{- $c := .component }}
{{- $stateful := $c.volume }}
{{- include "millwright.head" (merge (dict "apiVersion" "apps/v1" "kind" (ternary "StatefulSet" "Deployment" (not (empty $stateful)))) .) }}
spec:
  {{- if not $c.autoscaling }}
  replicas: {{ $c.replicas }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "millwright.selector" (dict "root" .root "component" .name) | nindent 6 }}
  {{- if $stateful }}
  serviceName: {{ include "millwright.fullname" .root }}-{{ .name }}
  volumeClaimTemplates:
    - metadata: { name: data }
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $c.volume.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: { requests: { storage: {{ $c.volume.size }} } }
  {{- else }}
  # The new pod is ready, with partitions of its own, before an old one goes.
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  {{- end }}
  template:
    {{- include "millwright.pod" . | nindent 4 }}
{{- end }}

{{- define "millwright.service" -}}
{{- $service := .component.service }}
{{- include "millwright.head" (merge (dict "apiVersion" "v1" "kind" "Service") .) }}
  {{- with $service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $service.type }}
  selector:
    {{- include "millwright.selector" (dict "root" .root "component" .name) | nindent 4 }}
  ports:
    - { name: grpc, port: 50051, targetPort: grpc, appProtocol: kubernetes.io/h2c }
    - { name: http, port: 8080, targetPort: http }
{{- end }}

{{- define "millwright.disruption" -}}
{{- $c := .component }}
{{- if or $c.autoscaling (gt (int $c.replicas) 1) }}
{{- include "millwright.head" (merge (dict "apiVersion" "policy/v1" "kind" "PodDisruptionBudget") .) }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "millwright.selector" (dict "root" .root "component" .name) | nindent 6 }}
{{- end }}
{{- end }}

{{/* On lag: KEDA, which looks at the consumer group; else an HPA on CPU. */}}
{{- define "millwright.autoscaling" -}}
{{- $c := .component }}
{{- $kafka := .root.Values.kafka }}
{{- $name := .name }}
{{- with $c.autoscaling }}
{{- $target := dict "apiVersion" "apps/v1" "kind" "Deployment" "name" (printf "%s-%s" (include "millwright.fullname" $.root) $name) }}
{{- if .lag }}
{{- include "millwright.head" (merge (dict "apiVersion" "keda.sh/v1alpha1" "kind" "ScaledObject") $) }}
spec:
  scaleTargetRef:
    {{- toYaml $target | nindent 4 }}
  minReplicaCount: {{ .min }}
  maxReplicaCount: {{ .max }}
  # Each change of the number of replicas moves partitions.
  cooldownPeriod: 300
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown: { stabilizationWindowSeconds: 300 }
  triggers:
    {{- range $topic := $c.facts.consumes }}
    - type: kafka
      metadata:
        bootstrapServers: {{ join "," $kafka.brokers | quote }}
        consumerGroup: {{ $name }}
        topic: {{ $topic }}
        lagThreshold: {{ $c.autoscaling.lag | quote }}
        offsetResetPolicy: earliest
      {{- with $c.triggerAuthentication }}
      authenticationRef: { name: {{ . }} }
      {{- end }}
    {{- end }}
    {{- if .cpu }}
    - type: cpu
      metricType: Utilization
      metadata: { value: {{ .cpu | quote }} }
    {{- end }}
{{- else }}
{{- include "millwright.head" (merge (dict "apiVersion" "autoscaling/v2" "kind" "HorizontalPodAutoscaler") $) }}
spec:
  scaleTargetRef:
    {{- toYaml $target | nindent 4 }}
  minReplicas: {{ .min }}
  maxReplicas: {{ .max }}
  # Each change of the number of replicas moves partitions.
  behavior:
    scaleDown: { stabilizationWindowSeconds: 300 }
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ .cpu }} }
{{- end }}
{{- end }}
{{- end }}

{{- define "millwright.certificate" -}}
{{- with .root.Values.grpc.tls }}
{{- if and .enabled (not .secret) }}
{{- $service := printf "%s-%s" (include "millwright.fullname" $.root) $.name }}
{{- include "millwright.head" (merge (dict "apiVersion" "cert-manager.io/v1" "kind" "Certificate") $) }}
spec:
  secretName: {{ include "millwright.grpcSecret" (dict "root" $.root "component" $.name) }}
  duration: {{ .certManager.duration }}
  renewBefore: {{ .certManager.renewBefore }}
  privateKey: { algorithm: ECDSA, size: 256, rotationPolicy: Always }
  usages: [digital signature, server auth]
  dnsNames:
    - {{ $service }}
    - {{ $service }}.{{ $.root.Release.Namespace }}
    - {{ $service }}.{{ $.root.Release.Namespace }}.svc
    {{- range $.root.Values.gateway.hostnames }}
    - {{ . | quote }}
    {{- end }}
  issuerRef:
    {{- toYaml .certManager.issuerRef | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Egress rule to peers (none: any address) on ports. Dot: dict peers, ports, protocols. */}}
{{- define "millwright.egress" -}}
- {{ with .peers }}to:
    {{- toYaml . | nindent 4 }}
  {{ end }}ports:
    {{- range $port := .ports }}
    {{- range $protocol := $.protocols | default (list "TCP") }}
    - { protocol: {{ $protocol }}, port: {{ $port }} }
    {{- end }}
    {{- end }}
{{- end }}

{{/* Egress to DNS and, unless the component is alone, to Kafka. */}}
{{- define "millwright.egressCommon" -}}
{{ include "millwright.egress" (dict "ports" (list 53) "protocols" (list "UDP" "TCP")) }}
{{- if ne .name "standalone" }}
{{ include "millwright.egress" .root.Values.networkPolicy.kafka }}
{{- end }}
{{- end }}

{{- define "millwright.networkPolicy" -}}
{{- with .root.Values.networkPolicy }}
{{- if .enabled }}
{{- include "millwright.head" (merge (dict "apiVersion" "networking.k8s.io/v1" "kind" "NetworkPolicy") $) }}
spec:
  podSelector:
    matchLabels:
      {{- include "millwright.selector" (dict "root" $.root "component" $.name) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  {{- if or .clients .monitoring }}
  ingress:
    {{- with .clients }}
    - from:
        {{- toYaml . | nindent 8 }}
      ports: [{ protocol: TCP, port: grpc }]
    {{- end }}
    {{- with .monitoring }}
    - from:
        {{- toYaml . | nindent 8 }}
      ports: [{ protocol: TCP, port: http }]
    {{- end }}
  {{- end }}
  egress:
    {{- include "millwright.egressCommon" $ | nindent 4 }}
    {{- if ne $.name "standalone" }}
    {{- include "millwright.egress" .redis | nindent 4 }}
    {{- end }}
    {{- if $.root.Values.telemetry.otlpEndpoint }}
    {{- include "millwright.egress" .otlp | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "millwright.route" -}}
{{- with .root.Values.gateway }}
{{- if .enabled }}
{{- include "millwright.head" (merge (dict "apiVersion" "gateway.networking.k8s.io/v1" "kind" "GRPCRoute") $) }}
spec:
  parentRefs:
    {{- toYaml .parentRefs | nindent 4 }}
  {{- with .hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        {{- range $.component.facts.grpc }}
        - method: { type: Exact, service: {{ . }} }
        {{- end }}
      backendRefs:
        - { name: {{ include "millwright.fullname" $.root }}-{{ $.name }}, port: 50051 }
{{- end }}
{{- end }}
{{- end }}
