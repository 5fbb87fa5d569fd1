module trusthub-bridge.io/example

go 1.24.0

require (
	// The last version that Go 1.24 compiles.
	github.com/twmb/franz-go v1.20.7
	trusthub-bridge.io/trusthubevents v0.1.0
)

require (
	github.com/klauspost/compress v1.18.4 // indirect
	github.com/pierrec/lz4/v4 v4.1.25 // indirect
	github.com/twmb/franz-go/pkg/kmsg v1.12.0 // indirect
	golang.org/x/crypto v0.48.0 // indirect
)

replace trusthub-bridge.io/trusthubevents => ../../packages/go
