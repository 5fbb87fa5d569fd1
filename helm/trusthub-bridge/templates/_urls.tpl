{{/* Derived from addresses: hosts and paths to route, ports to allow. Lists and maps are passed as JSON. */}}

{{/* The public URLs, each with its host, its port, if it has one, and its prefix, in the order given. */}}
{{- define "trusthub-bridge.urls" -}}
{{- $urls := list }}
{{- range compact (splitList "," .Values.publicUrl) }}
{{- $url := trim . | trimSuffix "/" }}
{{- $rest := regexReplaceAll "^https?://" $url "" }}
{{- $authority := splitList "/" $rest | first }}
{{- $port := regexFind ":[0-9]+$" $authority }}
{{- $host := trimSuffix $port $authority | lower }}
{{- $urls = append $urls (dict "url" $url "host" $host "port" (trimPrefix ":" $port) "prefix" (trimPrefix $authority $rest)) }}
{{- end }}
{{- toJson $urls }}
{{- end }}

{{/* The callback paths below a public URL. */}}
{{- define "trusthub-bridge.routes" -}}
{{- list "/callbacks/customer-profiles" "/callbacks/trust-products" "/callbacks/regulatory-bundles" | toJson }}
{{- end }}

{{/* Each host with the paths to route there: the paths of every public URL with this host. */}}
{{- define "trusthub-bridge.hosts" -}}
{{- $routes := include "trusthub-bridge.routes" . | fromJsonArray }}
{{- $hosts := dict }}
{{- range $url := include "trusthub-bridge.urls" . | fromJsonArray }}
{{- $paths := get $hosts $url.host | default list }}
{{- range $routes }}
{{- $paths = append $paths (print $url.prefix .) }}
{{- end }}
{{- $_ := set $hosts $url.host (uniq $paths) }}
{{- end }}
{{- toJson $hosts }}
{{- end }}

{{/* The ports of the brokers, in the order given. */}}
{{- define "trusthub-bridge.kafkaPorts" -}}
{{- $ports := list }}
{{- range splitList "," .Values.kafka.bootstrapServers }}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | int) }}
{{- end }}
{{- range .Values.networkPolicy.kafkaPorts }}
{{- $ports = append $ports (int .) }}
{{- end }}
{{- uniq $ports | toJson }}
{{- end }}

{{/* The port of Trust Hub's REST API. */}}
{{- define "trusthub-bridge.trusthubPort" -}}
{{- $url := .Values.trusthub.baseUrl }}
{{- $authority := regexReplaceAll "^https?://" $url "" | splitList "/" | first }}
{{- regexFind ":[0-9]+$" $authority | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" $url)) }}
{{- end }}
