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
{{- $kinds := list "customer-profiles" "trust-products" "regulatory-bundles" "compliance-registrations" }}
{{- $routes := list }}
{{- range $kinds }}
{{- $routes = append $routes (print "/callbacks/" .) }}
{{- end }}
{{- toJson $routes }}
{{- end }}

{{/* Each host with the paths to route there, with everything below them: the folder of the callback paths of every public URL
     with this host. The service also accepts callbacks whose path has a slash too many, which exact paths would not let in. A slash
     before `callbacks` needs the route `/` with most proxies, which routeEveryPath gives; see docs/proxies.md. */}}
{{- define "trusthub-bridge.hosts" -}}
{{- $hosts := dict }}
{{- range $url := include "trusthub-bridge.urls" . | fromJsonArray }}
{{- $path := ternary "/" (print $url.prefix "/callbacks/") $.Values.routeEveryPath }}
{{- $paths := append (get $hosts $url.host | default list) $path }}
{{- $_ := set $hosts $url.host (uniq $paths) }}
{{- end }}
{{- toJson $hosts }}
{{- end }}

{{/* The ports of the brokers, in the order given. */}}
{{- define "trusthub-bridge.kafkaPorts" -}}
{{- $ports := list }}
{{- $kafka := include "trusthub-bridge.kafka" . | fromJson }}
{{- range splitList "," $kafka.bootstrapServers }}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | int) }}
{{- end }}
{{- range .Values.networkPolicy.kafkaPorts }}
{{- $ports = append $ports (int .) }}
{{- end }}
{{- uniq $ports | toJson }}
{{- end }}

{{/* The port of an HTTP URL. */}}
{{- define "trusthub-bridge.portOf" -}}
{{- $url := . }}
{{- $authority := regexReplaceAll "^https?://" $url "" | splitList "/" | first }}
{{- regexFind ":[0-9]+$" $authority | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https:" $url)) }}
{{- end }}
