{{/* Objects for Prometheus and Grafana. */}}

{{/*
The scrape endpoint of the admin port: (list $ MONITOR). The alerts require that the name of the job contains the chart's name.
The job has the label app.kubernetes.io/name as its name, which nameOverride may change.
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

{{/* The names of all alerts, each once, including those that are off. */}}
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

{{/*
An expression with the configured limits: (list $ EXPRESSION). In the file, the comment `# limits.NAME` behind a number names
the value that replaces it.
*/}}
{{- define "trusthub-bridge.limitedExpression" -}}
{{- $expression := index . 1 }}
{{- range $name, $limit := (index . 0).Values.monitoring.prometheusRule.limits }}
{{- $expression = regexReplaceAll (printf "[0-9]+ # limits[.]%s\\b" $name) $expression (printf "%d # limits.%s" (int $limit) $name) }}
{{- end }}
{{- $expression }}
{{- end }}

{{/*
The enabled groups without the disabled alerts, with the configured limits and severities, and with links to the configured
address of the runbook.
*/}}
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
{{- $_ := set $rule "expr" (include "trusthub-bridge.limitedExpression" (list $ $rule.expr)) }}
{{- with get $settings.severities (default "" $rule.alert) }}
{{- $_ := set $rule.labels "severity" . }}
{{- end }}
{{- if $rule.alert }}
{{- $_ = set $rule "labels" (merge $rule.labels ($settings.alertLabels | default dict)) }}
{{- end }}
{{- with $rule.annotations }}
{{- $_ := set . "runbook_url" (replace "docs/operations.md#" (print $.Values.monitoring.runbookBaseUrl "#") .runbook_url) }}
{{- if hasSuffix "/operations.md" $.Values.monitoring.runbookBaseUrl }}
{{- $rejections := print (trimSuffix "operations.md" $.Values.monitoring.runbookBaseUrl) "rejections.md#" }}
{{- $_ := set . "description" (replace "docs/rejections.md#" $rejections .description) }}
{{- end }}
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
