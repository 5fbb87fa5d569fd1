package trusthubevents

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	accountSID = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	profileSID = regexp.MustCompile(`^BU[0-9a-fA-F]{32}$`)
	rfc3339    = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$`)
)

// parseJSON parses one value, with its numbers as json.Number.
func parseJSON(text []byte) (any, error) {
	// The decoder would replace other bytes.
	if !utf8.Valid(text) {
		return nil, unreadable("it is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, unreadable("it is not JSON")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, unreadable("it is longer than one JSON value")
	}
	return value, nil
}

// parseTime parses an RFC 3339 time. One without an offset could not be compared with the others.
func parseTime(text string) (time.Time, error) {
	if rfc3339.MatchString(text) {
		if parsed, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text)); err == nil {
			return parsed, nil
		}
	}
	return time.Time{}, unreadable("must be an RFC 3339 time with an offset")
}

func readFields(value any) (map[string]any, error) {
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, unreadable("must be an object")
	}
	return fields, nil
}

// required reads a field. The first error of a struct stays in err.
func required[T any](fields map[string]any, err *error, name string, read func(any) (T, error)) T {
	var none T
	if *err != nil {
		return none
	}
	value, ok := fields[name]
	if !ok {
		*err = unreadable("%s is missing", name)
		return none
	}
	return named(err, name, value, read)
}

// optional reads a field that may be null, or missing, which is the same.
func optional[T any](fields map[string]any, err *error, name string, read func(any) (T, error)) *T {
	value := fields[name]
	if *err != nil || value == nil {
		return nil
	}
	found := named(err, name, value, read)
	return &found
}

func named[T any](err *error, name string, value any, read func(any) (T, error)) T {
	found, problem := read(value)
	if problem != nil {
		*err = unreadable("%s %s", name, problem)
	}
	return found
}

func readText[T ~string](value any) (T, error) {
	text, ok := value.(string)
	if !ok {
		return "", unreadable("must be a string")
	}
	return T(text), nil
}

func readAccountSID(value any) (string, error) { return readSID(accountSID, value) }

func readProfileSID(value any) (string, error) { return readSID(profileSID, value) }

func readSID(pattern *regexp.Regexp, value any) (string, error) {
	text, err := readText[string](value)
	if err == nil && !pattern.MatchString(text) {
		err = unreadable("must be %s and 32 hexadecimal digits", pattern.String()[1:3])
	}
	if err != nil {
		return "", err
	}
	return text[:2] + strings.ToLower(text[2:]), nil
}

// readTime returns an RFC 3339 time as the text that it was.
func readTime(value any) (string, error) {
	text, err := readText[string](value)
	if err == nil {
		_, err = parseTime(text)
	}
	return text, err
}

func readNumber(maximum int64) func(any) (int64, error) {
	return func(value any) (int64, error) {
		number, ok := value.(int64)
		if text, isJSON := value.(json.Number); isJSON {
			parsed, err := strconv.ParseInt(text.String(), 10, 64)
			number, ok = parsed, err == nil
		}
		if !ok || number < 0 || number > maximum {
			return 0, unreadable("must be a whole number from 0 to %d", maximum)
		}
		return number, nil
	}
}

func readList[T any](read func(any) (T, error)) func(any) ([]T, error) {
	return func(value any) ([]T, error) {
		items, ok := value.([]any)
		if !ok {
			return nil, unreadable("must be a list")
		}
		found := make([]T, 0, len(items))
		var err error
		for index, item := range items {
			found = append(found, named(&err, fmt.Sprintf("[%d]", index), item, read))
			if err != nil {
				return nil, err
			}
		}
		return found, nil
	}
}

func readMap[T any](read func(any) (T, error)) func(any) (map[string]T, error) {
	return func(value any) (map[string]T, error) {
		fields, err := readFields(value)
		found := make(map[string]T, len(fields))
		for name, item := range fields {
			// The names come from outside, so errors do not have them.
			found[name] = named(&err, "a value", item, read)
			if err != nil {
				return nil, err
			}
		}
		return found, err
	}
}

func asData[T Data](read func(any) (T, error)) func(any) (Data, error) {
	return func(value any) (Data, error) { return read(value) }
}
