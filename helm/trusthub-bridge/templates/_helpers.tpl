{{/* Names, labels and the image. */}}

{{- define "trusthub-bridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: Kubernetes appends 11 to the name of a StatefulSet to make a label, whose limit is 63. */}}
{{- define "trusthub-bridge.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $release .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "trusthub-bridge.adminName" -}}
{{ include "trusthub-bridge.fullname" . }}-admin
{{- end }}

{{- define "trusthub-bridge.consoleName" -}}
{{ include "trusthub-bridge.fullname" . }}-console
{{- end }}

{{- define "trusthub-bridge.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "trusthub-bridge.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The registry that a parent chart sets is for repositories that name none. As in any image name, what stands before the first
slash is a registry if it has a dot or a colon, or is localhost. */}}
{{- define "trusthub-bridge.image" -}}
{{- with .Values.image }}
{{- $hasRegistry := regexMatch "^([^/]*[.:][^/]*|localhost)/" .repository }}
{{- if and $.Values.global.imageRegistry (not $hasRegistry) }}{{ trimSuffix "/" $.Values.global.imageRegistry }}/{{ end }}
{{- .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- with .digest }}@{{ . }}{{ end }}
{{- end }}
{{- end }}

{{/* The labels that all pods of this release share. Selectors also name a component, so that none selects the pods of another. */}}
{{- define "trusthub-bridge.selectorLabels" -}}
app.kubernetes.io/name: {{ include "trusthub-bridge.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "trusthub-bridge.replicaLabels" -}}
{{ include "trusthub-bridge.selectorLabels" . }}
app.kubernetes.io/component: bridge
{{- end }}

{{/* The metadata of a pod: (list $ COMPONENT SECTION), where the section may have podLabels and podAnnotations. */}}
{{- define "trusthub-bridge.podMetadata" -}}
{{- $root := index . 0 }}
{{- $section := index . 2 -}}
labels:
  {{- include "trusthub-bridge.podLabels" . | nindent 2 }}
{{- with merge dict ($section.podAnnotations | default dict) ($root.Values.podAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The labels of a pod, as above. Without versions, so that a new chart version alone restarts nothing. */}}
{{- define "trusthub-bridge.podLabels" -}}
{{- $root := index . 0 }}
{{- $own := include "trusthub-bridge.selectorLabels" $root | fromYaml }}
{{- $own = set $own "app.kubernetes.io/component" (index . 1) }}
{{- merge $own ((index . 2).podLabels | default dict) ($root.Values.podLabels | default dict) ($root.Values.commonLabels | default dict) | toYaml }}
{{- end }}

{{/* The labels of an object: (list $ OWN-LABELS). Labels that selectors and Helm rely on take precedence. */}}
{{- define "trusthub-bridge.labels" -}}
{{- $root := index . 0 }}
{{- $own := include "trusthub-bridge.selectorLabels" $root | fromYaml }}
{{- $own = set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- $own = set $own "app.kubernetes.io/version" $root.Chart.AppVersion }}
{{- $own = set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") }}
{{- merge $own (index . 1 | default dict) ($root.Values.commonLabels | default dict) | toYaml }}
{{- end }}

{{/* The metadata of an object: (list $ NAME SECTION), where the section may have labels and annotations. */}}
{{- define "trusthub-bridge.metadata" -}}
{{- $root := index . 0 }}
{{- $section := index . 2 -}}
metadata:
  name: {{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "trusthub-bridge.labels" (list $root $section.labels) | nindent 4 }}
  {{- with merge dict ($section.annotations | default dict) ($root.Values.commonAnnotations | default dict) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The metadata section of a hook: (list COMPONENT EVENT). Another run replaces the object that the last one left. */}}
{{- define "trusthub-bridge.hook" -}}
labels:
  app.kubernetes.io/component: {{ index . 0 }}
annotations:
  helm.sh/hook: {{ index . 1 }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
