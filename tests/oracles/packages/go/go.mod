// Programs for the tests of the packages: the rules of the Go package, and the Go SDK of CloudEvents.
module trusthub-bridge/packages

go 1.24

require (
	github.com/cloudevents/sdk-go/v2 v2.16.2
	trusthub-bridge.io/trusthubevents v0.1.0
)

require (
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
)

replace trusthub-bridge.io/trusthubevents => ../../../../packages/go
