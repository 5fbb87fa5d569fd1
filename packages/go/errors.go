package trusthubevents

import (
	"errors"
	"fmt"
)

// Reason says why a record is skipped; a stable name for logs and metrics.
type Reason string

// The reasons.
const (
	// Repeat: its ce_id was seen before.
	Repeat Reason = "repeat"
	// Older: a later event of its profile has already been applied.
	Older Reason = "older"
	// UnknownType: another type, or a version of it, that this consumer does not support.
	UnknownType Reason = "unknown_type"
	// Unreadable: it violates the contract of its type.
	Unreadable Reason = "unreadable"
)

// ErrNoSchema says that a record is Avro, and that there is no WriterSchema to read it with. It must be read again, and not be skipped.
var ErrNoSchema = errors.New("set WriterSchema, which asks the schema registry for it, or BundledSchemas if the bridge has the " +
	"version of this module")

// UnusableError says that a record cannot be used. Its offset is committed nevertheless, or the partition would be blocked.
// Every other error means that the record must be read again.
type UnusableError struct {
	// Reason is UnknownType or Unreadable.
	Reason Reason
	// Problem names the field and never contains its value, which may be personal data.
	Problem string
}

func (e *UnusableError) Error() string { return e.Problem }

func unreadable(format string, arguments ...any) error {
	return &UnusableError{Unreadable, fmt.Sprintf(format, arguments...)}
}
