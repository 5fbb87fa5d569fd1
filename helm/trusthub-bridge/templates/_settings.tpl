{{/* The configuration of the program, and the files that it names. */}}

{{- define "trusthub-bridge.secretsFolder" -}}
/var/run/secrets/trusthub-bridge
{{- end }}

{{- define "trusthub-bridge.spoolMount" -}}
/var/lib/trusthub-bridge
{{- end }}

{{/* The environment variables that the values set. They name the files of secrets, never the secrets. */}}
{{- define "trusthub-bridge.environment" -}}
{{- $secrets := include "trusthub-bridge.secretsFolder" . -}}
PUBLIC_URL: {{ .Values.publicUrl | quote }}
HTTP_BIND: {{ printf "%s:8080" .Values.bindAddress | quote }}
HTTP_MAX_BODY_BYTES: {{ .Values.http.maxBodyBytes | int64 | quote }}
HTTP_REQUEST_TIMEOUT_MS: {{ .Values.http.requestTimeoutMs | int64 | quote }}
HTTP_MAX_IN_FLIGHT: {{ .Values.http.maxInFlight | int64 | quote }}
HTTP_KEEP_ALIVE_SECS: {{ .Values.http.keepAliveSecs | int64 | quote }}
ADMIN_BIND: {{ printf "%s:9090" .Values.bindAddress | quote }}
{{- if .Values.console.enabled }}
CONSOLE_BIND: {{ printf "%s:9091" .Values.bindAddress | quote }}
CONSOLE_PASSWORD_FILE: {{ $secrets }}/console-password
{{- end }}
{{- with .Values.twilio }}
{{- if .authToken.existingSecret }}
TWILIO_AUTH_TOKEN_FILE: {{ $secrets }}/twilio-auth-token
{{- end }}
{{- if .sharedKeys.existingSecret }}
TWILIO_SHARED_KEYS_FILE: {{ $secrets }}/twilio-shared-keys
{{- end }}
{{- if .accounts.existingSecret }}
TWILIO_ACCOUNTS_FILE: {{ $secrets }}/twilio-accounts.json
{{- end }}
{{- with .accountSid }}
TWILIO_ACCOUNT_SID: {{ . | quote }}
{{- end }}
{{- end }}
SIGNATURE_MODE: {{ .Values.signatureMode | quote }}
DEDUP_WINDOW_SECS: {{ .Values.dedupWindowSecs | int64 | quote }}
{{ include "trusthub-bridge.kafkaEnvironment" . }}
SPOOL_DIR: {{ include "trusthub-bridge.spoolMount" . }}/spool
SPOOL_MAX_BYTES: {{ .Values.spool.maxBytes | int64 | quote }}
SPOOL_MIN_FREE_BYTES: {{ .Values.spool.minFreeBytes | int64 | quote }}
TRUSTHUB_BASE_URL: {{ .Values.trusthub.baseUrl | quote }}
RECONCILE_INTERVAL_SECS: {{ .Values.reconcile.intervalSecs | int64 | quote }}
{{ include "trusthub-bridge.tracingEnvironment" . }}
SHUTDOWN_DELAY_SECS: {{ .Values.shutdown.delaySecs | int64 | quote }}
SHUTDOWN_TIMEOUT_SECS: {{ .Values.shutdown.timeoutSecs | int64 | quote }}
LOG_FORMAT: {{ .Values.log.format | quote }}
RUST_LOG: {{ .Values.log.filter | quote }}
{{- end }}

{{- define "trusthub-bridge.tracingEnvironment" -}}
{{- $secrets := include "trusthub-bridge.secretsFolder" . -}}
{{- with .Values.tracing -}}
TRACE_CONTEXT: {{ .context | quote }}
{{- if .endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ .endpoint | quote }}
OTEL_EXPORTER_OTLP_PROTOCOL: {{ .protocol | quote }}
{{- if .headers.existingSecret }}
OTEL_EXPORTER_OTLP_HEADERS_FILE: {{ $secrets }}/otlp-headers
{{- end }}
OTEL_SERVICE_NAME: {{ .serviceName | quote }}
{{- if .resourceAttributes }}
OTEL_RESOURCE_ATTRIBUTES: {{ include "trusthub-bridge.resourceAttributes" .resourceAttributes | quote }}
{{- end }}
OTEL_TRACES_SAMPLER: {{ .sampler | quote }}
{{- if not (kindIs "invalid" .samplerRatio) }}
OTEL_TRACES_SAMPLER_ARG: {{ .samplerRatio | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.resourceAttributes" -}}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- $pairs = append $pairs (printf "%s=%s" $key (urlquery $value | replace "+" "%20")) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}

{{- define "trusthub-bridge.kafkaEnvironment" -}}
{{- $secrets := include "trusthub-bridge.secretsFolder" . -}}
{{- with include "trusthub-bridge.kafka" . | fromJson -}}
KAFKA_BOOTSTRAP_SERVERS: {{ .bootstrapServers | quote }}
KAFKA_TOPIC: {{ .topic | quote }}
KAFKA_DEAD_LETTER_TOPIC: {{ .deadLetterTopic | quote }}
KAFKA_PROFILES_TOPIC: {{ .profilesTopic | quote }}
KAFKA_PROFILES_FAILURE_TEXT: {{ .profilesFailureText | quote }}
KAFKA_CREATE_TOPICS: {{ .createTopics | quote }}
KAFKA_TOPIC_PARTITIONS: {{ .topicPartitions | int64 | quote }}
{{- with .topicReplication }}
KAFKA_TOPIC_REPLICATION: {{ . | int64 | quote }}
{{- end }}
KAFKA_VALUE_FORMAT: {{ .valueFormat | quote }}
CE_MODE: {{ .eventMode | quote }}
{{- with .schemaRegistry }}
{{- if .url }}
SCHEMA_REGISTRY_URL: {{ .url | quote }}
SCHEMA_REGISTRY_AUTO_REGISTER: {{ .autoRegister | quote }}
{{- end }}
{{- if .existingSecret }}
SCHEMA_REGISTRY_USERNAME: {{ .username | quote }}
SCHEMA_REGISTRY_PASSWORD_FILE: {{ $secrets }}/schema-registry-password
{{- end }}
{{- end }}
KAFKA_ACK_TIMEOUT_MS: {{ .ackTimeoutMs | int64 | quote }}
{{- if .properties }}
KAFKA_PROPERTIES: {{ include "trusthub-bridge.kafkaProperties" .properties | quote }}
{{- end }}
KAFKA_SECURITY_PROTOCOL: {{ .securityProtocol | quote }}
{{- with .sasl.mechanism }}
KAFKA_SASL_MECHANISM: {{ . | quote }}
{{- end }}
{{- with .sasl.awsRegion }}
AWS_REGION: {{ . | quote }}
{{- end }}
{{- if .sasl.existingSecret }}
KAFKA_SASL_USERNAME: {{ .sasl.username | quote }}
KAFKA_SASL_PASSWORD_FILE: {{ $secrets }}/kafka-password
{{- end }}
{{- with .sasl.oauth }}
{{- if .tokenUrl }}
KAFKA_OAUTH_TOKEN_URL: {{ .tokenUrl | quote }}
KAFKA_OAUTH_CLIENT_ID: {{ .clientId | quote }}
KAFKA_OAUTH_CLIENT_SECRET_FILE: {{ $secrets }}/kafka-client-secret
{{- end }}
{{- with .scope }}
KAFKA_OAUTH_SCOPE: {{ . | quote }}
{{- end }}
{{- if .extensions }}
KAFKA_OAUTH_EXTENSIONS: {{ include "trusthub-bridge.oauthExtensions" .extensions | quote }}
{{- end }}
{{- with .caLocation }}
KAFKA_OAUTH_CA_LOCATION: {{ . | quote }}
{{- end }}
{{- if .serviceAccountToken.audience }}
KAFKA_OAUTH_TOKEN_FILE: {{ $secrets }}/kafka-token
{{- end }}
{{- end }}
{{- if or .tls.ca.existingSecret .tls.ca.existingConfigMap }}
KAFKA_SSL_CA_LOCATION: {{ $secrets }}/kafka-ca.crt
{{- end }}
{{- if .tls.clientCertificate.existingSecret }}
KAFKA_SSL_CERTIFICATE_LOCATION: {{ $secrets }}/kafka-client.crt
KAFKA_SSL_KEY_LOCATION: {{ $secrets }}/kafka-client.key
{{- end }}
{{- end }}
{{- end }}

{{/* Helm parses a large number of a values file as a float, which would print as 1e+06. */}}
{{- define "trusthub-bridge.kafkaProperties" -}}
{{- $pairs := list }}
{{- range $key, $value := . }}
{{- $pairs = append $pairs (printf "%s=%v" $key (kindIs "float64" $value | ternary (int64 $value) $value)) }}
{{- end }}
{{- join ";" $pairs }}
{{- end }}

{{- define "trusthub-bridge.oauthExtensions" -}}
{{- $pairs := list }}
{{- range $name, $value := . }}
{{- $pairs = append $pairs (printf "%s=%s" $name $value) }}
{{- end }}
{{- join "," $pairs }}
{{- end }}

{{/* Whether an account and its auth token are configured, which Trust Hub's API requires: "true" or nothing. */}}
{{- define "trusthub-bridge.hasAccount" -}}
{{- with .Values.twilio }}
{{- if or (and .accountSid .authToken.existingSecret) .accounts.existingSecret }}true{{ end }}
{{- end }}
{{- end }}

{{/* The seconds that a replica may take to stop, plus a margin for Kubernetes itself. */}}
{{- define "trusthub-bridge.leastGracePeriod" -}}
{{- add .Values.shutdown.delaySecs .Values.shutdown.timeoutSecs 5 }}
{{- end }}

{{/* All Secrets in one volume, without subPath, so that Kubernetes updates the files when a Secret changes. */}}
{{- define "trusthub-bridge.secretSources" -}}
{{- with .Values.console.password }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .key "console-password") }}
{{- end }}
{{- with .Values.tracing.headers }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .key "otlp-headers") }}
{{- end }}
{{- with .Values.twilio }}
{{- include "trusthub-bridge.source" (list "secret" .authToken.existingSecret .authToken.key "twilio-auth-token") }}
{{- include "trusthub-bridge.source" (list "secret" .sharedKeys.existingSecret .sharedKeys.key "twilio-shared-keys") }}
{{- include "trusthub-bridge.source" (list "secret" .accounts.existingSecret .accounts.key "twilio-accounts.json") }}
{{- end }}
{{- with include "trusthub-bridge.kafka" . | fromJson }}
{{- include "trusthub-bridge.source" (list "secret" .sasl.existingSecret .sasl.key "kafka-password") }}
{{- with .schemaRegistry }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .key "schema-registry-password") }}
{{- end }}
{{- with .sasl.oauth }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .key "kafka-client-secret") }}
{{- with .serviceAccountToken }}
{{- if .audience }}
- serviceAccountToken:
    audience: {{ .audience | quote }}
    expirationSeconds: {{ .expirationSeconds | int64 }}
    path: kafka-token
{{- end }}
{{- end }}
{{- end }}
{{- with .tls.ca }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .key "kafka-ca.crt") }}
{{- include "trusthub-bridge.source" (list "configMap" .existingConfigMap .key "kafka-ca.crt") }}
{{- end }}
{{- with .tls.clientCertificate }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .certificateKey "kafka-client.crt") }}
{{- include "trusthub-bridge.source" (list "secret" .existingSecret .privateKeyKey "kafka-client.key") }}
{{- end }}
{{- end }}
{{- end }}

{{/* A key of a Secret or ConfigMap as a file: (list KIND NAME KEY FILE); nothing without a name. */}}
{{- define "trusthub-bridge.source" -}}
{{- if index . 1 }}
- {{ index . 0 }}:
    name: {{ index . 1 }}
    items:
      - key: {{ index . 2 }}
        path: {{ index . 3 }}
{{- end }}
{{- end }}
