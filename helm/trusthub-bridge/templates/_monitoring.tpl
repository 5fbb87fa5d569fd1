{{/* What Prometheus and Grafana are given. */}}

{{/*
How the admin port is asked: (list $ MONITOR). The alerts look for the chart's name in that of the job, which is the label
app.kubernetes.io/name unless nameOverride says otherwise.
*/}}
{{- define "trusthub-bridge.endpoint" -}}
{{- $root := index . 0 }}
{{- $relabelings := (index . 1).relabelings }}
{{- if not (contains $root.Chart.Name (include "trusthub-bridge.name" $root)) }}
{{- $relabelings = prepend $relabelings (dict "targetLabel" "job" "replacement" $root.Chart.Name) }}
{{- end -}}
port: admin
{{- with index . 1 }}
interval: {{ .interval }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- with $relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* The groups of a file of rules: (list $ FILE). */}}
{{- define "trusthub-bridge.ruleGroups" -}}
{{- (index . 0).Files.Get (printf "files/%s.yaml" (index . 1)) | fromYaml | dig "groups" list | toJson }}
{{- end }}

{{/* The names of all alerts, each once, also those that are off. */}}
{{- define "trusthub-bridge.alertNames" -}}
{{- $names := list }}
{{- range $file := list "alerts" "alerts-no-callback" }}
{{- range include "trusthub-bridge.ruleGroups" (list $ $file) | fromJsonArray }}
{{- range .rules }}
{{- $names = append $names .alert }}
{{- end }}
{{- end }}
{{- end }}
{{- compact $names | uniq | toJson }}
{{- end }}

{{/* The groups that are wanted, without the alerts that are not, and with links to where the runbook is. */}}
{{- define "trusthub-bridge.wantedGroups" -}}
{{- $settings := .Values.monitoring.prometheusRule }}
{{- $groups := include "trusthub-bridge.ruleGroups" (list . "alerts") | fromJsonArray }}
{{- if $settings.noCallback.enabled }}
{{- $groups = include "trusthub-bridge.ruleGroups" (list . "alerts-no-callback") | fromJsonArray | concat $groups }}
{{- end }}
{{- $wanted := list }}
{{- range $group := $groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- if not (has $rule.alert $settings.disabled) }}
{{- with $rule.annotations }}
{{- $_ := set . "runbook_url" (replace "docs/operations.md#" (print $.Values.monitoring.runbookBaseUrl "#") .runbook_url) }}
{{- end }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- with $rules }}
{{- $wanted = append $wanted (dict "name" $group.name "rules" .) }}
{{- end }}
{{- end }}
{{- toYaml $wanted }}
{{- end }}
