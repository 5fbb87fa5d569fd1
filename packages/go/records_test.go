package trusthubevents

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// testRecord is an entry of testdata/records.json.
type testRecord struct {
	Name     string     `json:"name"`
	Headers  [][]string `json:"headers"`
	Value    *[]byte    `json:"value"`
	Expected any        `json:"expected"`
	// Nil if it is absent, and "null" for none.
	WriterSchema json.RawMessage `json:"writer_schema"`
	SchemaID     uint32          `json:"schema_id"`
}

func read[T any](t *testing.T, path string) T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func testRecords(t *testing.T) []testRecord {
	records := read[[]testRecord](t, "../testdata/records.json")
	if len(records) < 60 {
		t.Fatalf("only %d records", len(records))
	}
	return records
}

func (r testRecord) record(t *testing.T) Record {
	t.Helper()
	record := Record{}
	for _, header := range r.Headers {
		var value []byte
		if err := json.Unmarshal([]byte(fmt.Sprintf("%q", header[1])), &value); err != nil {
			t.Fatal(err)
		}
		record.Headers = append(record.Headers, Header{header[0], value})
	}
	if r.Value != nil {
		record.Value = *r.Value
	}
	return record
}

func (r testRecord) decoder(t *testing.T) Decoder {
	t.Helper()
	if r.WriterSchema == nil {
		return Decoder{BundledSchemas: true}
	}
	var text *string
	if err := json.Unmarshal(r.WriterSchema, &text); err != nil {
		t.Fatal(err)
	}
	if text == nil {
		return Decoder{}
	}
	return Decoder{WriterSchema: func(id uint32) (string, error) {
		if id != r.SchemaID {
			return "", fmt.Errorf("no schema %d", id)
		}
		return *text, nil
	}}
}

// decoded is what the test data says about a record.
func (r testRecord) decoded(t *testing.T) any {
	event, err := r.decoder(t).Decode(r.record(t))
	var unusable *UnusableError
	if errors.As(err, &unusable) {
		return map[string]any{"error": string(unusable.Reason)}
	}
	if errors.Is(err, errSchema) || errors.Is(err, ErrNoSchema) {
		return map[string]any{"error": "read again"}
	}
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return asJSON(t, map[string]any{
		"id": event.ID, "type": event.Type, "source": event.Source, "subject": event.Subject,
		"time": event.Time.UTC().Format("2006-01-02T15:04:05.000Z"), "data": event.Data,
	})
}

func asJSON(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var parsed any
	if err := json.Unmarshal(text, &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestRecordIsReadAsTheEventThatItIs(t *testing.T) {
	for _, given := range testRecords(t) {
		if decoded := given.decoded(t); !reflect.DeepEqual(decoded, given.Expected) {
			t.Errorf("%s: %v, not %v", given.Name, decoded, given.Expected)
		}
	}
}

func TestViewDecidesAsEveryOtherView(t *testing.T) {
	type testCase struct {
		Name      string               `json:"name"`
		Records   []map[string]*string `json:"records"`
		Decisions []any                `json:"decisions"`
		Problems  []bool               `json:"problems"`
	}
	cases := read[[]testCase](t, "../testdata/decisions.json")
	if len(cases) < 10 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, given := range cases {
		var view View
		for index, fields := range given.Records {
			record := Record{}
			for _, name := range []string{"ce_type", "ce_id", "ce_time"} {
				if fields[name] != nil {
					record.Headers = append(record.Headers, Header{name, []byte(*fields[name])})
				}
			}
			if fields["value"] != nil {
				record.Value = []byte(*fields["value"])
			}
			decision, err := view.Apply(record)
			if err != nil {
				t.Fatal(err)
			}
			if outcome := asJSON(t, decision); !reflect.DeepEqual(outcome, given.Decisions[index]) {
				t.Errorf("%s, record %d: %v, not %v: %s", given.Name, index, outcome, given.Decisions[index], decision.Problem)
			}
			if (decision.Problem != "") != given.Problems[index] {
				t.Errorf("%s, record %d: problem %q", given.Name, index, decision.Problem)
			}
		}
	}
}

func TestUnavailableRegistryIsNoReasonToSkip(t *testing.T) {
	unavailable := errors.New("the registry is unavailable")
	view := View{WriterSchema: func(uint32) (string, error) { return "", unavailable }}
	if _, err := view.Apply(recordNamed(t, ", Avro").record(t)); !errors.Is(err, unavailable) {
		t.Error(err)
	}
	view.WriterSchema = func(uint32) (string, error) { return "no schema", nil }
	if _, err := view.Apply(recordNamed(t, ", Avro").record(t)); !errors.Is(err, errSchema) {
		t.Error(err)
	}
	view = View{}
	if _, err := view.Apply(recordNamed(t, ", Avro").record(t)); !errors.Is(err, ErrNoSchema) {
		t.Error(err)
	}
	view.BundledSchemas = true
	if decision, err := view.Apply(recordNamed(t, ", Avro").record(t)); err != nil || decision.Event == nil {
		t.Error(decision, err)
	}
}

func TestBooleanHasTwoValues(t *testing.T) {
	given := recordNamed(t, "Avro of another version")
	var text string
	if err := json.Unmarshal(given.WriterSchema, &text); err != nil {
		t.Fatal(err)
	}
	text = strings.Replace(text, `"fields": [`, `"fields": [{"name": "flag", "type": "boolean"}, `, 1)
	decoder := Decoder{WriterSchema: func(uint32) (string, error) { return text, nil }}
	record := given.record(t)
	frame, encoded := record.Value[:prefixBytes], record.Value[prefixBytes:]
	for flag := range byte(4) {
		record.Value = slices.Concat(frame, []byte{flag}, encoded)
		_, err := decoder.Decode(record)
		if (err == nil) != (flag <= 1) {
			t.Error(flag, err)
		}
	}
}

func recordNamed(t *testing.T, suffix string) testRecord {
	for _, record := range testRecords(t) {
		if strings.HasSuffix(record.Name, suffix) {
			return record
		}
	}
	t.Fatalf("no record is named *%s", suffix)
	return testRecord{}
}

func TestErrorsNameTheFieldAndNotTheValue(t *testing.T) {
	record := recordNamed(t, ", JSON").record(t)
	var value map[string]any
	if err := json.Unmarshal(record.Value, &value); err != nil {
		t.Fatal(err)
	}
	value["errors"] = []any{map[string]any{"code": "private"}}
	record.Value, _ = json.Marshal(value)
	_, err := Decoder{}.Decode(record)
	if err == nil || !strings.Contains(err.Error(), "errors [0] code must be a whole number") || strings.Contains(err.Error(), "private") {
		t.Error(err)
	}
}

func TestViewHasTheLatestEventOfAProfile(t *testing.T) {
	var view View
	decision, err := view.Apply(recordNamed(t, ", JSON").record(t))
	if err != nil || decision.Change == nil {
		t.Fatal(decision, err)
	}
	latest, ok := view.Latest(ProfileKey{decision.Change.AccountSID, decision.Change.ProfileSID})
	if !ok || latest.ID != decision.Event.ID {
		t.Error(latest, ok)
	}
	if _, ok := view.Latest(ProfileKey{decision.Change.AccountSID, ""}); ok {
		t.Error("a profile without events")
	}
}

// Whatever the bytes, the decoder returns, and it does not allocate what only the bytes claim.
func FuzzAvro(f *testing.F) {
	f.Add([]byte("\x02\x00"))
	f.Add([]byte("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		for _, known := range dataTypes {
			if _, err := readAvro(encoded, nil, known.schema); err != nil {
				var unusable *UnusableError
				if !errors.As(err, &unusable) {
					t.Error(err)
				}
			}
		}
	})
}
