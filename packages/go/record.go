package trusthubevents

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

const (
	structuredType = "application/cloudevents+json"
	avroType       = "application/avro"
	// Confluent's wire format: a zero, and the id of the schema in four bytes; in front of the value, or in this header.
	schemaIDHeader = "__value_schema_id"
	prefixBytes    = 5
)

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record has the parts of a Kafka record on which the decision depends.
type Record struct {
	Headers []Header
	// Value is nil for a tombstone.
	Value []byte
}

// content has the attributes of the CloudEvent in a record, and its data, which may still be encoded.
type content struct {
	id, eventType, source, subject, time *string
	// JSON, or Avro if there is a schemaID; nil for a tombstone.
	data []byte
	// The data if it had to be parsed to find the attributes; then data is the whole value.
	parsed   any
	schemaID *uint32
}

// contentOf takes a record apart, whatever its format. A value that cannot be read is in the content as it is.
func contentOf(record Record) content {
	found := content{
		id: record.text("ce_id"), eventType: record.text("ce_type"), source: record.text("ce_source"),
		subject: record.text("ce_subject"), time: record.text("ce_time"), data: record.Value,
	}
	if record.Value == nil {
		return found
	}
	mediaType := record.mediaType()
	if found.eventType != nil && dataTypes[*found.eventType].read != nil {
		if id, encoded, ok := record.avro(mediaType); ok {
			found.schemaID, found.data = &id, encoded
			return found
		}
	}
	// Something between the bridge and this consumer may have dropped the headers.
	isBare := found.eventType == nil && bytes.HasPrefix(bytes.TrimSpace(record.Value), []byte("{"))
	if mediaType == structuredType || isBare {
		if structured, ok := structuredContent(record.Value); ok {
			return structured
		}
	}
	return found
}

// text returns the first header of a name; nil if it is absent or not UTF-8.
func (r Record) text(name string) *string {
	value := r.header(name)
	if value == nil || !utf8.Valid(value) {
		return nil
	}
	text := string(value)
	return &text
}

func (r Record) header(name string) []byte {
	for _, header := range r.Headers {
		if header.Key == name {
			return header.Value
		}
	}
	return nil
}

func (r Record) mediaType() string {
	mediaType, _, _ := strings.Cut(string(r.header("content-type")), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

func (r Record) avro(mediaType string) (uint32, []byte, bool) {
	if prefix := r.header(schemaIDHeader); len(prefix) == prefixBytes && prefix[0] == 0 && mediaType == avroType {
		return binary.BigEndian.Uint32(prefix[1:]), r.Value, true
	}
	if len(r.Value) < prefixBytes || r.Value[0] != 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(r.Value[1:]), r.Value[prefixBytes:], true
}

func structuredContent(value []byte) (content, bool) {
	parsed, err := parseJSON(value)
	if err != nil {
		return content{}, false
	}
	event, err := readFields(parsed)
	text := func(name string) *string { return optional(event, &err, name, readText[string]) }
	found := content{
		id: text("id"), eventType: text("type"), source: text("source"), subject: text("subject"), time: text("time"),
		parsed: event["data"],
	}
	if text("specversion") == nil || found.id == nil || found.eventType == nil || err != nil {
		return content{}, false
	}
	// Without data it is a tombstone.
	if found.parsed != nil {
		found.data = value
	}
	return found, true
}
