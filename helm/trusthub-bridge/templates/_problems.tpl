{{/* Problems that values.schema.json cannot detect. Each line names a value and says what to write instead. */}}

{{/* Fails with a list of all problems. */}}
{{- define "trusthub-bridge.check" -}}
{{- $lines := list }}
{{- range $part := list "url" "keys" "kafka" "strimzi" "sasl" "aws" "oauth" "tls" "spool" "stop" "routing" "service" "console" "tracing" "resolution" "environment" "monitoring" "alertLabels" }}
{{- $found := include (print "trusthub-bridge.problems." $part) $ }}
{{- range splitList "\n" $found }}
{{- $lines = append $lines (trim .) }}
{{- end }}
{{- end }}
{{- $lines = compact $lines }}
{{- with $lines }}
{{- printf "values are not valid, %s:\n%s" (len . | eq 1 | ternary "1 problem" (printf "%d problems" (len .))) (join "\n" .) | fail }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.url" -}}
{{- $urls := include "trusthub-bridge.urls" . | fromJsonArray }}
{{- $texts := list }}
{{- if not $urls }}
publicUrl: is required but not set; write the base URL that Twilio calls, such as https://hooks.example.com
{{- end }}
{{- range $urls }}
{{- $texts = append $texts .url }}
{{- if and .port (or (lt (int .port) 1) (gt (int .port) 65535)) }}
publicUrl: {{ .url }} has no valid port; write a number from 1 to 65535, or omit the port
{{- end }}
{{- if not (regexMatch "^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\\[[0-9a-f:.]+\\])$" .host) }}
publicUrl: {{ .url }} has no valid host; write it as https://hooks.example.com
{{- end }}
{{- if or (contains "/./" (print .prefix "/")) (contains "/../" (print .prefix "/")) (not (regexMatch "^(/[A-Za-z0-9._~!$&'()*+;=:@-]+)*$" .prefix)) }}
publicUrl: {{ .url }} has a path that is not a plain prefix; write it as https://hooks.example.com/prefix
{{- end }}
{{- end }}
{{- if ne (len $texts) (uniq $texts | len) }}
publicUrl: names the same URL twice; remove one
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.keys" -}}
{{- with .Values.twilio }}
{{- if not (or .authToken.existingSecret .sharedKeys.existingSecret .accounts.existingSecret) }}
twilio.authToken.existingSecret: is required but not set; write the name of a Secret that holds the auth token under the key {{ .authToken.key }}, or that of SharedKeys to twilio.sharedKeys.existingSecret, or that of a list of accounts to twilio.accounts.existingSecret
{{- end }}
{{- if and .sharedKeys.existingSecret .accounts.existingSecret }}
twilio.sharedKeys.existingSecret: contradicts twilio.accounts.existingSecret, which is also set; write the keys of each account as "shared_keys" into the list of accounts, and remove it here
{{- end }}
{{- end }}
{{- if and (gt (int .Values.reconcile.intervalSecs) 0) (not (include "trusthub-bridge.hasAccount" .)) }}
reconcile.intervalSecs: requires an account and its auth token; write twilio.accountSid and twilio.authToken.existingSecret, or twilio.accounts.existingSecret, or 0 here
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.kafka" -}}
{{- with include "trusthub-bridge.kafka" . | fromJson }}
{{- if not .bootstrapServers }}
kafka.bootstrapServers: is required but not set; write the brokers as host:port, separated by commas
{{- end }}
{{- if has .profilesTopic (list .topic .deadLetterTopic) }}
kafka.profilesTopic: is the same topic as kafka.topic or kafka.deadLetterTopic; write another topic, because its records have a different format
{{- end }}
{{- if eq .topic .deadLetterTopic }}
kafka.deadLetterTopic: is the same topic as kafka.topic; write another topic, because its records have a different format
{{- end }}
{{- if eq .valueFormat "avro" }}
{{- if not .schemaRegistry.url }}
kafka.schemaRegistry.url: is required by kafka.valueFormat avro but not set; write the URL of the schema registry, or kafka.valueFormat json
{{- end }}
{{- if eq .eventMode "structured" }}
kafka.eventMode: cannot be structured with kafka.valueFormat avro, whose values are the data alone; write binary
{{- end }}
{{- end }}
{{- with .schemaRegistry }}
{{- if and (or .username .existingSecret) (not .url) }}
kafka.schemaRegistry.url: is required by the user of the schema registry but not set; write its URL, or remove username and existingSecret
{{- end }}
{{- if and .username (not .existingSecret) }}
kafka.schemaRegistry.existingSecret: is required by kafka.schemaRegistry.username but not set; write the name of a Secret that holds the user's password
{{- end }}
{{- if and .existingSecret (not .username) }}
kafka.schemaRegistry.username: is required by kafka.schemaRegistry.existingSecret but not set; write the user to whom the password belongs
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.strimzi" -}}
{{- $kafka := .Values.kafka }}
{{- with .Values.strimzi }}
{{- if .enabled }}
{{- if not .clusterName }}
strimzi.clusterName: is required by strimzi.enabled but not set; write the name of the Kafka resource
{{- end }}
{{- $derived := include "trusthub-bridge.kafka" $ | fromJson }}
{{- if not (has $kafka.securityProtocol (list "plaintext" $derived.securityProtocol)) }}
kafka.securityProtocol: contradicts strimzi.user.authentication {{ .user.authentication }}, which sets {{ $derived.securityProtocol }}; remove it
{{- end }}
{{- range $key := list "mechanism" "username" }}
{{- $value := get $kafka.sasl $key }}
{{- if and $value (ne $value (get $derived.sasl $key)) }}
kafka.sasl.{{ $key }}: contradicts strimzi.user.authentication {{ $.Values.strimzi.user.authentication }}, which sets it; remove it
{{- end }}
{{- end }}
{{- if and $kafka.sasl.existingSecret (eq .user.authentication "tls") }}
kafka.sasl.existingSecret: contradicts strimzi.user.authentication tls, which uses no password; remove it
{{- end }}
{{- if and $kafka.topicReplication .topics.create }}
kafka.topicReplication: is for topics that the service creates; write strimzi.topics.replicas instead, and remove it
{{- end }}
{{- if gt (int .topics.minInsyncReplicas) (int .topics.replicas) }}
strimzi.topics.minInsyncReplicas: {{ .topics.minInsyncReplicas }} is more than strimzi.topics.replicas, so that no record could be acknowledged; write at most {{ .topics.replicas }}
{{- end }}
{{- range $topic, $settings := pick .topics "events" "deadLetters" "profiles" }}
{{- if hasKey $settings.config "min.insync.replicas" }}
strimzi.topics.{{ $topic }}.config: min.insync.replicas has a value of its own; write it to strimzi.topics.minInsyncReplicas, and remove it here
{{- end }}
{{- end }}
{{- if hasKey .topics.profiles.config "cleanup.policy" }}
strimzi.topics.profiles.config: cleanup.policy is always compact, which the states of profiles need; remove it
{{- end }}
{{- else if .clusterName }}
strimzi.clusterName: is not used, because strimzi.enabled is false; remove it, or set strimzi.enabled to true
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.sasl" -}}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}
{{- $protocol := $kafka.securityProtocol }}
{{- $isUsed := hasPrefix "sasl_" $protocol }}
{{- $isToken := eq $kafka.sasl.mechanism "OAUTHBEARER" }}
{{- $isIam := eq $kafka.sasl.mechanism "AWS_MSK_IAM" }}
{{- $instead := dict "mechanism" "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM" "username" "the Kafka user" "existingSecret" "the name of a Secret that holds the user's password" }}
{{- range $key, $text := $instead }}
{{- $value := get $kafka.sasl $key }}
{{- if and $isUsed $isToken (ne $key "mechanism") }}
{{- if $value }}
kafka.sasl.{{ $key }}: contradicts kafka.sasl.mechanism OAUTHBEARER, which does not use it; remove it, and write kafka.sasl.oauth.clientId and kafka.sasl.oauth.existingSecret instead
{{- end }}
{{- else if and $isUsed $isIam (ne $key "mechanism") }}
{{- if $value }}
kafka.sasl.{{ $key }}: contradicts kafka.sasl.mechanism AWS_MSK_IAM, which logs in with the role of the service account; remove it, or write SCRAM-SHA-512 to kafka.sasl.mechanism
{{- end }}
{{- else if and $isUsed (not $value) }}
kafka.sasl.{{ $key }}: is required by kafka.securityProtocol {{ $protocol }} but not set; write {{ $text }}
{{- else if and $value (not $isUsed) }}
kafka.sasl.{{ $key }}: contradicts kafka.securityProtocol {{ $protocol }}, which does not use it; remove it, or write kafka.securityProtocol sasl_ssl
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.aws" -}}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}
{{- $isUsed := and (hasPrefix "sasl_" $kafka.securityProtocol) (eq $kafka.sasl.mechanism "AWS_MSK_IAM") }}
{{- if and .Values.kafka.sasl.awsRegion (not $isUsed) }}
kafka.sasl.awsRegion: contradicts kafka.sasl.mechanism, which does not use it; remove it, or write sasl_ssl to kafka.securityProtocol and AWS_MSK_IAM to kafka.sasl.mechanism
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.oauth" -}}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}
{{- $isUsed := and (hasPrefix "sasl_" $kafka.securityProtocol) (eq $kafka.sasl.mechanism "OAUTHBEARER") }}
{{- with .Values.kafka.sasl.oauth }}
{{- $client := dict "tokenUrl" .tokenUrl "clientId" .clientId "existingSecret" .existingSecret "scope" .scope "caLocation" .caLocation }}
{{- $instead := dict "tokenUrl" "the URL of your identity provider's token endpoint, or an audience to kafka.sasl.oauth.serviceAccountToken.audience" "clientId" "the client id of the service at your identity provider" "existingSecret" "the name of a Secret that holds the client secret" }}
{{- range $key, $value := $client }}
{{- if and $value (not $isUsed) }}
kafka.sasl.oauth.{{ $key }}: contradicts kafka.sasl.mechanism, which does not use it; remove it, or write a SASL protocol to kafka.securityProtocol and OAUTHBEARER to kafka.sasl.mechanism
{{- else if and $value $.Values.kafka.sasl.oauth.serviceAccountToken.audience }}
kafka.sasl.oauth.{{ $key }}: contradicts kafka.sasl.oauth.serviceAccountToken.audience, which is also set; remove one of them
{{- else if and $isUsed (not $value) (hasKey $instead $key) (not $.Values.kafka.sasl.oauth.serviceAccountToken.audience) }}
kafka.sasl.oauth.{{ $key }}: is required by kafka.sasl.mechanism OAUTHBEARER but not set; write {{ get $instead $key }}
{{- end }}
{{- end }}
{{- $others := dict "extensions" .extensions "serviceAccountToken.audience" .serviceAccountToken.audience }}
{{- range $key, $value := $others }}
{{- if and $value (not $isUsed) }}
kafka.sasl.oauth.{{ $key }}: contradicts kafka.sasl.mechanism, which does not use it; remove it, or write a SASL protocol to kafka.securityProtocol and OAUTHBEARER to kafka.sasl.mechanism
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.tls" -}}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}
{{- $protocol := $kafka.securityProtocol }}
{{- $isUsed := hasSuffix "ssl" $protocol }}
{{- with $kafka.tls }}
{{- $given := dict "ca.existingSecret" .ca.existingSecret "ca.existingConfigMap" .ca.existingConfigMap "clientCertificate.existingSecret" .clientCertificate.existingSecret }}
{{- range $key, $value := $given }}
{{- if and $value (not $isUsed) }}
kafka.tls.{{ $key }}: contradicts kafka.securityProtocol {{ $protocol }}, which does not use it; remove it, or write kafka.securityProtocol ssl or sasl_ssl
{{- end }}
{{- end }}
{{- if and .ca.existingSecret .ca.existingConfigMap }}
kafka.tls.ca.existingConfigMap: contradicts kafka.tls.ca.existingSecret, which is also set; remove one of them
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.spool" -}}
{{- $least := add (mul 2 (int64 .Values.spool.maxBytes)) (int64 .Values.spool.minFreeBytes) }}
{{- if lt (include "trusthub-bridge.bytes" .Values.persistence.size | int64) $least }}
persistence.size: {{ .Values.persistence.size }} is too small for spool.maxBytes, whose file can be twice as large, and spool.minFreeBytes; write at least {{ include "trusthub-bridge.mebibytes" $least }}, or a smaller spool.maxBytes
{{- end }}
{{- range .Values.drain.ordinals }}
{{- if lt (int .) (int $.Values.replicaCount) }}
drain.ordinals: replica {{ . }} is not scaled down, and its spool is in use; write ordinals of {{ $.Values.replicaCount }} (replicaCount) or above; if they are left from an earlier upgrade, add --set-json 'drain.ordinals=[]'
{{- end }}
{{- end }}
{{- if and .Values.drain.ordinals (not .Values.persistence.enabled) }}
drain.ordinals: there are no volumes to drain, because persistence.enabled is false; remove it
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.stop" -}}
{{- $least := include "trusthub-bridge.leastGracePeriod" . | int }}
{{- with .Values.terminationGracePeriodSeconds }}
{{- if lt (int .) $least }}
terminationGracePeriodSeconds: {{ . }} is too short for shutdown.delaySecs ({{ $.Values.shutdown.delaySecs }}), shutdown.timeoutSecs ({{ $.Values.shutdown.timeoutSecs }}) and 5 s; write at least {{ $least }}, or remove it
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.routing" -}}
{{- if or .Values.ingress.enabled .Values.gateway.enabled }}
{{- range $host := include "trusthub-bridge.hosts" . | fromJson | keys | sortAlpha }}
{{- if or (contains "[" $host) (regexMatch "^[0-9.]+$" $host) }}
publicUrl: the address {{ $host }} cannot be routed by an Ingress or HTTPRoute; write a host name, or set ingress.enabled and gateway.enabled to false
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) }}
gateway.parentRefs: is required by gateway.enabled but empty; write the Gateway that routes from outside, such as [{name: public, namespace: gateways}]
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.service" -}}
{{- with .Values.service }}
{{- $balanced := dict "loadBalancerClass" .loadBalancerClass "loadBalancerSourceRanges" .loadBalancerSourceRanges }}
{{- range $key, $value := $balanced }}
{{- if and $value (ne $.Values.service.type "LoadBalancer") }}
service.{{ $key }}: is used by load balancers only; write LoadBalancer to service.type, or remove it
{{- end }}
{{- end }}
{{- $exposed := dict "externalTrafficPolicy" .externalTrafficPolicy "nodePort" .nodePort }}
{{- range $key, $value := $exposed }}
{{- if and $value (eq $.Values.service.type "ClusterIP") }}
service.{{ $key }}: is not used by a ClusterIP; write NodePort or LoadBalancer to service.type, or remove it
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.console" -}}
{{- with .Values.console }}
{{- if and .enabled (not .password.existingSecret) }}
console.password.existingSecret: is required by console.enabled but not set; write the name of a Secret that holds the password under the key {{ .password.key }}
{{- else if and .password.existingSecret (not .enabled) }}
console.password.existingSecret: is not used, because console.enabled is false; remove it, or set console.enabled to true
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.tracing" -}}
{{- with .Values.tracing }}
{{- if and .headers.existingSecret (not .endpoint) }}
tracing.headers.existingSecret: is not used, because tracing.endpoint is not set; remove it, or write the URL of the receiver there
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.resolution" -}}
{{- if and (eq .Values.dnsPolicy "None") (not ((.Values.dnsConfig).nameservers)) }}
dnsConfig.nameservers: is required by dnsPolicy None but not set; write the addresses of DNS servers, or another dnsPolicy
{{- end }}
{{- end }}

{{/* If a variable is set twice, one value is not used, and other parts of the chart may depend on it. */}}
{{- define "trusthub-bridge.problems.environment" -}}
{{- $own := include "trusthub-bridge.environment" . | fromYaml }}
{{- $secrets := dict "TWILIO_AUTH_TOKEN" "twilio.authToken.existingSecret" "TWILIO_SHARED_KEYS" "twilio.sharedKeys.existingSecret" "KAFKA_SASL_PASSWORD" "kafka.sasl.existingSecret" "CONSOLE_PASSWORD" "console.password.existingSecret" "SCHEMA_REGISTRY_PASSWORD" "kafka.schemaRegistry.existingSecret" "KAFKA_OAUTH_CLIENT_SECRET" "kafka.sasl.oauth.existingSecret" "OTEL_EXPORTER_OTLP_HEADERS" "tracing.headers.existingSecret" }}
{{- range .Values.extraEnv }}
{{- $name := .name }}
{{- if hasKey $own .name }}
extraEnv: {{ .name }} is set by a value of its own; write it there, and remove it here
{{- else }}
{{- with get $secrets .name }}
extraEnv: {{ $name }} would show a secret to everyone who can read the pod; write it into a Secret, and the name of the Secret to {{ . }}
{{- end }}
{{- if and (hasKey . "value") (has .name (list "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" "AWS_CONTAINER_AUTHORIZATION_TOKEN")) }}
extraEnv: {{ .name }} would show a secret to everyone who can read the pod; write it into a Secret, and valueFrom.secretKeyRef instead of value, or use the role of the service account
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.monitoring" -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled }}
monitoring.podMonitor.enabled: contradicts monitoring.serviceMonitor.enabled, because every replica would be scraped twice; set one of them to false
{{- end }}
{{- $names := include "trusthub-bridge.alertNames" . | fromJsonArray }}
{{- range .Values.monitoring.prometheusRule.disabled }}
{{- if not (has . $names) }}
monitoring.prometheusRule.disabled: there is no alert {{ . }}; write names from {{ join ", " $names }}
{{- end }}
{{- end }}
{{- range $name, $severity := .Values.monitoring.prometheusRule.severities }}
{{- if not (has $name $names) }}
monitoring.prometheusRule.severities: there is no alert {{ $name }}; write names from {{ join ", " $names }}
{{- end }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.problems.alertLabels" -}}
{{- if hasKey (.Values.monitoring.prometheusRule.alertLabels | default dict) "severity" }}
monitoring.prometheusRule.alertLabels: would give every alert the same severity; write those that differ to monitoring.prometheusRule.severities, and remove it here
{{- end }}
{{- end }}

{{/* The bytes of a quantity such as 3Gi. */}}
{{- define "trusthub-bridge.bytes" -}}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- mul (regexFind "^[0-9]+" . | int64) (get $factors (regexFind "[A-Za-z]*$" .)) }}
{{- end }}

{{/* The smallest quantity in Mi that holds these bytes. */}}
{{- define "trusthub-bridge.mebibytes" -}}
{{- div (add . 1048575) 1048576 }}Mi
{{- end }}
