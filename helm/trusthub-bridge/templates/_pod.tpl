{{/* The parts that the pods of the replicas, the drain and the test share. */}}

{{- define "trusthub-bridge.pod" -}}
serviceAccountName: {{ include "trusthub-bridge.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with concat (.Values.global.imagePullSecrets | default list) (.Values.imagePullSecrets | default list) }}
imagePullSecrets:
  {{- range . }}
  - name: {{ kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name") }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "trusthub-bridge.podSecurityContext" . | nindent 2 }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* OpenShift assigns a user and groups to each namespace, and admits no pod that asks for others. */}}
{{- define "trusthub-bridge.podSecurityContext" -}}
{{- $isOpenShift := .Capabilities.APIVersions.Has "security.openshift.io/v1" }}
{{- if or (eq .Values.adaptSecurityContext "always") (and $isOpenShift (eq .Values.adaptSecurityContext "auto")) }}
{{- omit .Values.podSecurityContext "runAsUser" "runAsGroup" "fsGroup" | toYaml }}
{{- else }}
{{- toYaml .Values.podSecurityContext }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.container" -}}
image: {{ include "trusthub-bridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* In the pod and not in a ConfigMap: a replica that restarts while a bad change is rolled out keeps its old settings, and
a changed setting changes the pod, which starts a rollout. Variables here take precedence over envFrom. */}}
{{- define "trusthub-bridge.env" -}}
env:
  {{- range $name, $value := include "trusthub-bridge.environment" . | fromYaml }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.mounts" -}}
- name: secrets
  mountPath: {{ include "trusthub-bridge.secretsFolder" . }}
  readOnly: true
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "trusthub-bridge.spoolMounts" -}}
- name: spool
  mountPath: {{ include "trusthub-bridge.spoolMount" . }}
{{- end }}

{{/* Readable only by the group of the pod, which owns the files. */}}
{{- define "trusthub-bridge.volumes" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- include "trusthub-bridge.secretSources" . | trim | nindent 6 }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
