package main

import (
	"cmp"
	"log"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// subscribe joins the consumer group. Only marked records are committed, and no partition leaves while its records are applied.
func subscribe() *kgo.Client {
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(setting("KAFKA_BOOTSTRAP_SERVERS", ""), ",")...),
		kgo.ConsumerGroup(setting("KAFKA_GROUP_ID", "")),
		kgo.ConsumeTopics(setting("KAFKA_TOPIC", "trusthub.profile-status-changed")),
		// A new group reads the whole history, from which the view is built.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(time.Second), kgo.BlockRebalanceOnPoll(),
	}
	// `trusthub-bridge dev` speaks the protocol of an earlier Kafka.
	if version := kversion.FromString(os.Getenv("KAFKA_VERSION")); version != nil {
		options = append(options, kgo.MaxVersions(version))
	}
	if strings.HasSuffix(os.Getenv("KAFKA_SECURITY_PROTOCOL"), "SSL") {
		options = append(options, kgo.DialTLS())
	}
	user, password := os.Getenv("KAFKA_SASL_USERNAME"), os.Getenv("KAFKA_SASL_PASSWORD")
	switch os.Getenv("KAFKA_SASL_MECHANISM") {
	case "PLAIN":
		options = append(options, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()))
	case "SCRAM-SHA-512":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// setting returns a variable, or what it is otherwise; with nothing otherwise it is required.
func setting(variable, otherwise string) string {
	value := cmp.Or(os.Getenv(variable), otherwise)
	if value == "" {
		log.Fatalf("%s is required", variable)
	}
	return value
}
