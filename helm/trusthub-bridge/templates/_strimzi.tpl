{{/* Kafka that Strimzi runs: the settings that follow from it, and the permissions of the Kafka user. */}}

{{/* The Kafka settings as JSON. With Strimzi, they have its addresses, protocols and Secrets where the values set none. */}}
{{- define "trusthub-bridge.kafka" -}}
{{- $kafka := deepCopy .Values.kafka }}
{{- if .Values.strimzi.enabled }}
{{- $cluster := .Values.strimzi.clusterName }}
{{- $user := include "trusthub-bridge.kafkaUser" . }}
{{- $isPassword := eq .Values.strimzi.user.authentication "scram-sha-512" }}
{{- $bootstrap := printf "%s-kafka-bootstrap.%s.svc:%d" $cluster (include "trusthub-bridge.strimziNamespace" .) (int .Values.strimzi.listenerPort) }}
{{- $_ := set $kafka "bootstrapServers" (default $bootstrap $kafka.bootstrapServers) }}
{{- $_ = set $kafka "createTopics" (and $kafka.createTopics (not .Values.strimzi.topics.create)) }}
{{- $_ = set $kafka "securityProtocol" (ternary "sasl_ssl" "ssl" $isPassword) }}
{{- $_ = set $kafka.sasl "mechanism" (ternary "SCRAM-SHA-512" "" $isPassword) }}
{{- $_ = set $kafka.sasl "username" (ternary $user "" $isPassword) }}
{{- if not $isPassword }}
{{- $_ = set $kafka.sasl "existingSecret" "" }}
{{- else if not $kafka.sasl.existingSecret }}
{{- $_ = set $kafka.sasl "existingSecret" $user }}
{{- $_ = set $kafka.sasl "key" "password" }}
{{- end }}
{{- if not (or $kafka.tls.ca.existingSecret $kafka.tls.ca.existingConfigMap) }}
{{- $_ = set $kafka.tls "ca" (dict "existingSecret" (print $cluster "-cluster-ca-cert") "existingConfigMap" "" "key" "ca.crt") }}
{{- end }}
{{- if not (or $isPassword $kafka.tls.clientCertificate.existingSecret) }}
{{- $_ = set $kafka.tls "clientCertificate" (dict "existingSecret" $user "certificateKey" "user.crt" "privateKeyKey" "user.key") }}
{{- end }}
{{- end }}
{{- toJson $kafka }}
{{- end }}

{{- define "trusthub-bridge.kafkaUser" -}}
{{- default (include "trusthub-bridge.fullname" .) .Values.strimzi.user.name }}
{{- end }}

{{- define "trusthub-bridge.strimziNamespace" -}}
{{- default .Release.Namespace .Values.strimzi.namespace }}
{{- end }}

{{/* The metadata of an object for Strimzi, which it looks for in a namespace of its own: (list $ NAME ANNOTATIONS). */}}
{{- define "trusthub-bridge.strimziMetadata" -}}
{{- $root := index . 0 }}
{{- $labels := dict "strimzi.io/cluster" $root.Values.strimzi.clusterName }}
{{- $metadata := include "trusthub-bridge.metadata" (list $root (index . 1) (dict "labels" $labels "annotations" (index . 2))) | fromYaml }}
{{- $_ := set $metadata.metadata "namespace" (include "trusthub-bridge.strimziNamespace" $root) }}
{{- toYaml $metadata }}
{{- end }}

{{/* The topics as JSON, each with a name for its object, its own settings and those that it must have. */}}
{{- define "trusthub-bridge.topics" -}}
{{- $kafka := .Values.kafka }}
{{- $own := .Values.strimzi.topics }}
{{- $common := dict "min.insync.replicas" (int $own.minInsyncReplicas) }}
{{- $topics := list (dict "object" "events" "topic" $kafka.topic "config" (merge dict $common $own.events.config)) }}
{{- $topics = append $topics (dict "object" "dead-letters" "topic" $kafka.deadLetterTopic "config" (merge dict $common $own.deadLetters.config)) }}
{{- if $kafka.profilesTopic }}
{{- $compacted := dict "cleanup.policy" "compact" }}
{{- $topics = append $topics (dict "object" "profiles" "topic" $kafka.profilesTopic "config" (merge dict $common $compacted $own.profiles.config)) }}
{{- end }}
{{- toJson $topics }}
{{- end }}

{{/* Helm parses every number of a values file as a float, and prints a large one as 1e+06. */}}
{{- define "trusthub-bridge.setting" -}}
{{- if and (kindIs "float64" .) (eq (toString (floor .)) (toString .)) }}
{{- int64 . }}
{{- else }}
{{- toJson . }}
{{- end }}
{{- end }}

{{/* The permissions of docs/operations.md that the enabled features need, as YAML. */}}
{{- define "trusthub-bridge.acls" -}}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}
{{- $reconciles := include "trusthub-bridge.hasAccount" . }}
{{- $replays := .Values.strimzi.user.replaysDeadLetters }}
{{- $states := $kafka.profilesTopic }}
{{- $write := list "Describe" "DescribeConfigs" "Write" }}
{{- if $kafka.createTopics }}
{{- $write = append $write "Create" }}
{{- end }}
{{- $read := append $write "Read" }}
{{- $readsEvents := or $reconciles $states $replays .Values.tests.publish }}
{{- $readsLetters := or $replays .Values.console.enabled }}
{{- include "trusthub-bridge.acl" (list "topic" $kafka.topic (ternary $read $write (not (not $readsEvents)))) }}
{{- include "trusthub-bridge.acl" (list "topic" $kafka.deadLetterTopic (ternary $read $write $readsLetters)) }}
{{- if $reconciles }}
{{- include "trusthub-bridge.acl" (list "group" (print "trusthub-bridge-reconcile." $kafka.topic) (list "Read")) }}
{{- end }}
{{- if $replays }}
{{- include "trusthub-bridge.acl" (list "group" (print "trusthub-bridge-replay." $kafka.topic) (list "Read")) }}
{{- end }}
{{- if $states }}
{{- include "trusthub-bridge.acl" (list "topic" $states $read) }}
{{- include "trusthub-bridge.acl" (list "group" (print "trusthub-bridge-profiles." $states) (list "Read")) }}
{{- include "trusthub-bridge.acl" (list "transactionalId" (printf "trusthub-bridge-profiles.%s." $states) (list "Describe" "Write")) }}
{{- end }}
{{- end }}

{{/* One permission: (list TYPE NAME OPERATIONS). Each transaction has an id of its own, with a common beginning. */}}
{{- define "trusthub-bridge.acl" }}
- resource:
    type: {{ index . 0 }}
    name: {{ index . 1 | quote }}
    patternType: {{ ternary "prefix" "literal" (eq (index . 0) "transactionalId") }}
  operations: [{{ index . 2 | sortAlpha | join ", " }}]
{{- end }}
