// Reads records with the Go SDK of CloudEvents: those of packages/testdata/records.json on stdin become a list of what it reads.
//
// The SDK's own binding for Kafka needs a Kafka client, so the record is a message of the SDK's core here, as there.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/format"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
)

var specs = spec.WithPrefix("ce_")

// message is a Kafka record.
type message struct {
	headers map[string][]byte
	value   []byte
}

func (m *message) ReadEncoding() binding.Encoding {
	if m.format() != nil {
		return binding.EncodingStructured
	}
	return binding.EncodingBinary
}

func (m *message) format() format.Format { return format.Lookup(string(m.headers["content-type"])) }

func (m *message) ReadStructured(ctx context.Context, writer binding.StructuredWriter) error {
	if m.format() == nil {
		return binding.ErrNotStructured
	}
	return writer.SetStructuredEvent(ctx, m.format(), bytes.NewReader(m.value))
}

func (m *message) ReadBinary(_ context.Context, writer binding.BinaryWriter) error {
	if m.format() != nil {
		return binding.ErrNotBinary
	}
	version := specs.Version(string(m.headers[specs.PrefixedSpecVersionName()]))
	for name, value := range m.headers {
		var err error
		if attribute := version.Attribute(name); attribute != nil {
			err = writer.SetAttribute(attribute, string(value))
		} else if name == "content-type" {
			err = writer.SetAttribute(version.AttributeFromKind(spec.DataContentType), string(value))
		} else if extension, ok := strings.CutPrefix(name, "ce_"); ok {
			err = writer.SetExtension(extension, string(value))
		}
		if err != nil {
			return err
		}
	}
	return writer.SetData(bytes.NewReader(m.value))
}

func (m *message) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	attribute := specs.Version(string(m.headers[specs.PrefixedSpecVersionName()])).AttributeFromKind(kind)
	return attribute, string(m.headers[attribute.PrefixedName()])
}

func (m *message) GetExtension(name string) any { return string(m.headers["ce_"+name]) }

func (m *message) Finish(error) error { return nil }

func main() {
	var records []struct {
		Headers [][2]json.RawMessage
		Value   []byte
	}
	check(json.NewDecoder(os.Stdin).Decode(&records))
	read := make([]map[string]any, len(records))
	for index, record := range records {
		given := &message{headers: map[string][]byte{}, value: record.Value}
		for _, header := range record.Headers {
			var name string
			var value []byte
			check(json.Unmarshal(header[0], &name))
			check(json.Unmarshal(header[1], &value))
			given.headers[name] = value
		}
		event, err := binding.ToEvent(context.Background(), given)
		check(err)
		read[index] = map[string]any{
			"id": event.ID(), "type": event.Type(), "source": event.Source(), "subject": event.Subject(),
			"time": event.Time().UTC().Format("2006-01-02T15:04:05.000Z"), "data": json.RawMessage(event.Data()),
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(read))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
