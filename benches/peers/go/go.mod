// What a careful team writes today, in Go: net/http, Twilio's validator and franz-go; the bench compares with it.
module trusthub-bridge/peer

go 1.24.0

require (
	github.com/twilio/twilio-go v1.31.0
	github.com/twmb/franz-go v1.20.7
)

require (
	github.com/golang/mock v1.6.0 // indirect
	github.com/klauspost/compress v1.18.4 // indirect
	github.com/pierrec/lz4/v4 v4.1.25 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/twmb/franz-go/pkg/kmsg v1.12.0 // indirect
)
