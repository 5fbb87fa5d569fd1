{{/* What is shown after an installation. A template of its own, so that tests can read it without a cluster. */}}
{{- define "trusthub-bridge.notes" -}}
{{- $fullname := include "trusthub-bridge.fullname" . }}
{{- $urls := include "trusthub-bridge.urls" . | fromJsonArray }}
{{- $exec := printf "kubectl -n %s exec statefulset/%s -- trusthub-bridge" .Release.Namespace $fullname -}}
trusthub-bridge {{ .Values.image.tag | default .Chart.AppVersion }} publishes Trust Hub's status changes to {{ .Values.kafka.topic }}.

Give each profile in Trust Hub its StatusCallback:
{{ range $url := $urls }}
{{- range include "trusthub-bridge.routes" $ | fromJsonArray }}
  {{ $url.url }}{{ . }}
{{- end }}
{{ end }}
{{- if include "trusthub-bridge.hasAccount" . }}
This does it for all customer profiles and trust products that have none; with --dry-run it only says so:
{{ with $urls }}
  {{ $exec }} reconcile --set-callback {{ (first .).url }}
{{- if gt (len .) 1 }}

With --replace, those that have another one of these move to the first.
{{- end }}
{{- end }}
{{ else }}
`trusthub-bridge reconcile --set-callback` does it for all profiles that have none. It needs twilio.accountSid or
twilio.accounts.existingSecret, to know whose profiles.
{{ end }}
See that it works:

  helm -n {{ .Release.Namespace }} test {{ .Release.Name }}                    # a forged callback is refused
  {{ $exec }} healthcheck --ready
{{- range $urls }}
  curl -i {{ .url }}/callbacks/customer-profiles    # from outside: 403, since it is not signed
{{- end }}
{{- include "trusthub-bridge.warnings" . }}
{{- end }}

{{/* What is allowed, but should be known. */}}
{{- define "trusthub-bridge.warnings" -}}
{{- if not .Values.persistence.enabled }}

WARNING: persistence.enabled is false. Events that wait in the spool because Kafka does not take them are lost with their
pod: when it is evicted or restarted by an upgrade, or its node fails. The window is the length of Kafka's outage and the
moments until the spool is drained. Stop or upgrade only while trusthub_spool_events is 0.
{{- end }}
{{- if lt (int .Values.replicaCount) 2 }}

WARNING: replicaCount is {{ .Values.replicaCount }}. While the only replica restarts, callbacks are refused by the ingress, and Twilio does not repeat
them unless the callback URL says so.
{{- end }}
{{- if eq .Values.signatureMode "report-only" }}

WARNING: signatureMode is report-only. Callbacks whose signature does not match are answered 204 and kept in
{{ .Values.kafka.deadLetterTopic }}, never as events. Write enforce when genuine callbacks are verified:
trusthub_signatures_verified_total grows, trusthub_callbacks_rejected_total does not.
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.tls) (contains "https://" .Values.publicUrl) }}

WARNING: ingress.tls is empty. The certificate that the ingress controller shows by itself must be valid for the host of
publicUrl, or Twilio does not call.
{{- end }}
{{- if not (or .Values.ingress.enabled .Values.gateway.enabled) }}

WARNING: ingress.enabled and gateway.enabled are false. Route the paths above, and nothing else, to port {{ .Values.service.port }} of the Service
{{ include "trusthub-bridge.fullname" . }} by yourself.
{{- end }}
{{- with ((.Values.resources).limits).memory }}
{{- $least := mul (int64 $.Values.http.maxConnections) 179200 | add 67108864 }}
{{- if lt (include "trusthub-bridge.bytes" (toString .) | int64) $least }}

WARNING: resources.limits.memory is {{ . }}. In the worst case http.maxConnections {{ $.Values.http.maxConnections | int64 }} takes {{ include "trusthub-bridge.mebibytes" $least }}: lower the one or
raise the other, or an attacker can have the replica killed.
{{- end }}
{{- end }}
{{- end }}
