package trusthubevents

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Data is the data of an event: ProfileStatusChanged, ProfileDescribed, ProfileDeleted or ProfileState.
type Data interface{ isData() }

// Event is a CloudEvent of the bridge.
type Event struct {
	// ID is equal for repeats.
	ID   string
	Type string
	// Time is when the callback arrived, or when Trust Hub was asked.
	Time    time.Time
	Source  string
	Subject string
	Data    Data
}

// WriterSchema returns the Avro schema that a registry has under an id, as JSON. Its errors are passed on: the record must be
// read again later, and not be skipped.
type WriterSchema func(id uint32) (string, error)

// Decoder reads the event in a record: JSON or Avro, with the attributes of CloudEvents in headers or in the value. Its zero
// value reads every type.
type Decoder struct {
	// Types are the values of ce_type that the consumer handles; empty for all of this package. The value of a record of another
	// type is not read.
	Types []string
	// WriterSchema is needed for Avro. It may be nil if there is none.
	WriterSchema WriterSchema
	// BundledSchemas reads Avro with the schemas of this package if WriterSchema is nil. That is right only while the bridge has
	// the version of the package: a record of another version is unreadable, or has texts in the wrong fields.
	BundledSchemas bool
}

// Decode reads a record. The error is an *UnusableError, or the record must be read again: it is one of WriterSchema, or ErrNoSchema,
// or the schema is that of something else. A tombstone has no value and is unreadable: in the topic of states, check for it first.
func (d Decoder) Decode(record Record) (Event, error) {
	return d.decode(contentOf(record))
}

func (d Decoder) decode(found content) (Event, error) {
	if found.data == nil {
		return Event{}, unreadable("has no value")
	}
	eventType := orEmpty(found.eventType)
	known := dataTypes[eventType]
	if known.read == nil || (len(d.Types) > 0 && !slices.Contains(d.Types, eventType)) {
		return Event{}, &UnusableError{UnknownType, fmt.Sprintf("is of the type %q", eventType)}
	}
	if found.id == nil {
		return Event{}, unreadable("has no ce_id")
	}
	if found.time == nil {
		return Event{}, unreadable("has no ce_time")
	}
	at, err := parseTime(*found.time)
	if err != nil {
		return Event{}, unreadable("has an invalid ce_time")
	}
	value, err := d.value(found, known)
	if err != nil {
		return Event{}, explained(err)
	}
	data, err := known.read(value)
	if err != nil {
		return Event{}, explained(err)
	}
	return Event{*found.id, eventType, at, orEmpty(found.source), orEmpty(found.subject), data}, nil
}

func (d Decoder) value(found content, known dataType) (any, error) {
	if found.parsed != nil {
		return found.parsed, nil
	}
	if found.schemaID == nil {
		return parseJSON(found.data)
	}
	if d.WriterSchema == nil {
		if d.BundledSchemas {
			return readAvro(found.data, nil, known.schema)
		}
		return nil, fmt.Errorf("the record is Avro with the schema %d: %w", *found.schemaID, ErrNoSchema)
	}
	writer, err := d.WriterSchema(*found.schemaID)
	if err != nil {
		return nil, fmt.Errorf("the Avro schema %d is not available: %w", *found.schemaID, err)
	}
	return readAvro(found.data, &writer, known.schema)
}

func explained(err error) error {
	var unusable *UnusableError
	if errors.As(err, &unusable) {
		return unreadable("has a value that is not an event: %s", unusable.Problem)
	}
	return err
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
