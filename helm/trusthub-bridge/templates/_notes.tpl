{{/* The notes after an installation. A template of its own, so that tests can read it without a cluster. */}}
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
This command sets it for all customer profiles and trust products that have none; with --dry-run it only lists them:
{{ with $urls }}
  {{ $exec }} reconcile --set-callback {{ (first .).url }}
{{- if gt (len .) 1 }}

With --replace, profiles that have another one of these URLs move to the first.
{{- end }}
{{- end }}
{{ else }}
`trusthub-bridge reconcile --set-callback` sets it for all profiles that have none. It needs twilio.accountSid
and twilio.authToken.existingSecret, or twilio.accounts.existingSecret.
{{ end }}
Check the installation:

  helm -n {{ .Release.Namespace }} test {{ .Release.Name }}                    # a forged callback is rejected
  {{ $exec }} healthcheck --ready
{{- range $urls }}
  curl -i {{ .url }}/callbacks/customer-profiles    # from outside: 403, because it is not signed
{{- end }}
{{- if .Values.console.enabled }}

Open the console at http://127.0.0.1:9091, with any user name and the password of the Secret {{ .Values.console.password.existingSecret }}:

  kubectl -n {{ .Release.Namespace }} port-forward {{ $fullname }}-0 9091
{{- end }}
{{- include "trusthub-bridge.warnings" . }}
{{- end }}

{{/* The ordinals of drain.ordinals that have a claim, and the others, as JSON. Helm finds nothing without a cluster, or before the
     installation. With --reuse-values, ordinals of an earlier upgrade can name claims that were deleted since: a Job would wait for them
     until the upgrade fails. */}}
{{- define "trusthub-bridge.drained" -}}
{{- $drained := list }}
{{- $skipped := list }}
{{- $fullname := include "trusthub-bridge.fullname" . }}
{{- if .Values.drain.ordinals }}
{{- $isInstalled := lookup "apps/v1" "StatefulSet" .Release.Namespace $fullname }}
{{- range .Values.drain.ordinals }}
{{- if or (not $isInstalled) (lookup "v1" "PersistentVolumeClaim" $.Release.Namespace (printf "spool-%s-%d" $fullname (int .))) }}
{{- $drained = append $drained (int .) }}
{{- else }}
{{- $skipped = append $skipped (int .) }}
{{- end }}
{{- end }}
{{- end }}
{{- dict "drained" $drained "skipped" $skipped | toJson }}
{{- end }}

{{/* Warnings about settings that are allowed but risky. */}}
{{- define "trusthub-bridge.warnings" -}}
{{- if not .Values.persistence.enabled }}

WARNING: persistence.enabled is false. Events that wait in the spool during an outage of Kafka are lost with their pod: when
it is evicted or restarted by an upgrade, or when its node fails. The risk lasts until the spool is drained after the outage.
Stop or upgrade only while trusthub_spool_events is 0.
{{- end }}
{{- $claims := include "trusthub-bridge.drained" . | fromJson }}
{{- range $claims.drained }}

This upgrade drains the spool in the volume claim spool-{{ include "trusthub-bridge.fullname" $ }}-{{ . }}.
{{- end }}
{{- range $claims.skipped }}

WARNING: drain.ordinals names {{ . }}, but there is no volume claim spool-{{ include "trusthub-bridge.fullname" $ }}-{{ . }}: nothing was drained for it.
{{- end }}
{{- if .Values.drain.ordinals }}

WARNING: Helm stores drain.ordinals with the release. With --reuse-values the next upgrade drains the same volumes again, if
they still exist, and cannot raise replicaCount above them; empty it in the next upgrade: --set-json 'drain.ordinals=[]'
{{- end }}
{{- if and .Values.strimzi.enabled (ne (include "trusthub-bridge.strimziNamespace" .) .Release.Namespace) }}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}

WARNING: Strimzi creates its Secrets in the namespace {{ include "trusthub-bridge.strimziNamespace" . }}. The pods start when these are in {{ .Release.Namespace }}, too:
{{- range compact (list $kafka.tls.clientCertificate.existingSecret $kafka.sasl.existingSecret $kafka.tls.ca.existingSecret) }}
{{ . }}
{{- end }}
{{- end }}
{{- if lt (int .Values.replicaCount) 2 }}

WARNING: replicaCount is {{ .Values.replicaCount }}. While the only replica restarts, the ingress answers callbacks with an error, and Twilio does
not repeat them unless the callback URL asks for retries.
{{- end }}
{{- if eq .Values.signatureMode "report-only" }}

WARNING: signatureMode is report-only. Callbacks whose signature does not match are answered 204 and kept in
{{ .Values.kafka.deadLetterTopic }}, never as events. Set it to enforce once genuine callbacks are verified:
trusthub_signatures_verified_total grows, trusthub_callbacks_rejected_total does not.
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.tls) (contains "https://" .Values.publicUrl) }}

WARNING: ingress.tls is empty. The default certificate of the ingress controller must be valid for the host of publicUrl;
otherwise Twilio cannot connect.
{{- end }}
{{- if not (or .Values.ingress.enabled .Values.gateway.enabled) }}

WARNING: ingress.enabled and gateway.enabled are false. Route everything below /callbacks/, and nothing else, to port {{ .Values.service.port }} of the Service
{{ include "trusthub-bridge.fullname" . }} yourself.
{{- end }}
{{- with ((.Values.resources).limits).memory }}
{{- $least := mul (int64 $.Values.http.maxInFlight) 179200 | add 67108864 }}
{{- if lt (include "trusthub-bridge.bytes" (toString .) | int64) $least }}

WARNING: resources.limits.memory is {{ . }}. In the worst case http.maxInFlight {{ $.Values.http.maxInFlight | int64 }} takes {{ include "trusthub-bridge.mebibytes" $least }}: lower
http.maxInFlight or raise the limit; otherwise an attack can get the replica killed.
{{- end }}
{{- end }}
{{- end }}
