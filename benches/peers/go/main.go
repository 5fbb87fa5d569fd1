// A service as a careful team writes it in Go: net/http, Twilio's validator and franz-go. It gives the same guarantees as the
// bridge: the signature is checked with Twilio's own code, and the answer is 204 once all in-sync replicas have the event.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	route        = "/callbacks/customer-profiles"
	maxBodyBytes = 65536
	// How long the broker has for a record, as by default in the bridge.
	ackTimeout = 5 * time.Second
)

type event struct {
	AccountSID       string  `json:"account_sid"`
	ProfileSID       string  `json:"profile_sid"`
	Resource         string  `json:"resource"`
	Status           string  `json:"status"`
	FailureReason    *string `json:"failure_reason"`
	ReceivedAt       string  `json:"received_at"`
	IdempotencyToken *string `json:"idempotency_token"`
}

type service struct {
	url       string
	topic     string
	validator client.RequestValidator
	producer  *kgo.Client
}

func (s *service) callback(response http.ResponseWriter, request *http.Request) {
	request.Body = http.MaxBytesReader(response, request.Body, maxBodyBytes)
	if err := request.ParseForm(); err != nil {
		http.Error(response, "not a form", http.StatusBadRequest)
		return
	}
	fields := make(map[string]string, len(request.PostForm))
	for name, values := range request.PostForm {
		fields[name] = values[0]
	}
	if !s.validator.Validate(s.url, fields, request.Header.Get("X-Twilio-Signature")) {
		response.WriteHeader(http.StatusForbidden)
		return
	}
	value, err := json.Marshal(event{
		AccountSID:       fields["AccountSid"],
		ProfileSID:       fields["BundleSid"],
		Resource:         "customer-profile",
		Status:           fields["Status"],
		FailureReason:    optional(fields["FailureReason"]),
		ReceivedAt:       time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		IdempotencyToken: optional(request.Header.Get("I-Twilio-Idempotency-Token")),
	})
	if err != nil {
		response.WriteHeader(http.StatusInternalServerError)
		return
	}
	// The record must not be canceled when the caller closes its connection.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(request.Context()), ackTimeout)
	defer cancel()
	record := &kgo.Record{Topic: s.topic, Key: []byte(fields["BundleSid"]), Value: value}
	if err := s.producer.ProduceSync(ctx, record).FirstErr(); err != nil {
		response.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	response.WriteHeader(http.StatusNoContent)
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func main() {
	producer, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		// The default, like the idempotent producer.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// As in the bridge; the default would make each callback wait for 10 ms.
		kgo.ProducerLinger(time.Millisecond),
		// As in the other services.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		log.Fatal(err)
	}
	service := &service{
		url:       os.Getenv("PUBLIC_URL") + route,
		topic:     os.Getenv("KAFKA_TOPIC"),
		validator: client.NewRequestValidator(os.Getenv("TWILIO_AUTH_TOKEN")),
		producer:  producer,
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+route, service.callback)
	server := &http.Server{Addr: os.Getenv("HTTP_BIND"), Handler: mux, ReadTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second}
	log.Fatal(server.ListenAndServe())
}
