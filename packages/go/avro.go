package trusthubevents

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"unicode/utf8"
)

//go:embed schemas/*.avsc
var bundled embed.FS

// Limits for values that claim to be larger or deeper than any record of the bridge.
const (
	maxDepth   = 64
	maxValues  = 1 << 20
	maxSchemas = 256
)

var errAvro = errors.New("it is not Avro of its schema")

// schema is a parsed Avro schema.
type schema struct {
	kind string
	// Of a record, with its namespace.
	name   string
	fields []schemaField
	// Of an array or a map.
	items *schema
	// Of a union.
	branches []*schema
	// Of an enum.
	symbols []string
	// Of a fixed.
	size int64
}

type schemaField struct {
	name         string
	schema       *schema
	defaultValue any
	hasDefault   bool
}

// readAvro returns the value as parsed JSON has it. A field that the writer did not have gets its default. The text of the writer's
// schema is nil for that of this package.
func readAvro(encoded []byte, writerText *string, readerFile string) (any, error) {
	readerText, err := bundled.ReadFile(readerFile)
	if err != nil {
		return nil, err
	}
	reader, err := parsedSchema(string(readerText))
	if err != nil {
		return nil, err
	}
	writer := reader
	if writerText != nil {
		// A schema of something else is no property of the record, so its error is no UnusableError.
		writer, err = parsedSchema(*writerText)
		if err != nil || writer.kind != "record" || writer.name != reader.name {
			return nil, fmt.Errorf("%w of %s; check that the registry is that of the topic", errSchema, reader.name)
		}
	}
	decoder := avroDecoder{rest: encoded}
	value := decoder.read(writer, 0)
	if decoder.failed || len(decoder.rest) > 0 {
		return nil, unreadable("%s", errAvro)
	}
	fillDefaults(reader, value)
	return value, nil
}

// fillDefaults adds fields that only the reader has.
func fillDefaults(reader *schema, value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, field := range recordOf(reader).fields {
			if found, ok := value[field.name]; ok {
				fillDefaults(field.schema, found)
			} else if field.hasDefault {
				value[field.name] = field.defaultValue
			}
		}
	case []any:
		for _, item := range value {
			if reader.items != nil {
				fillDefaults(reader.items, item)
			}
		}
	}
}

// recordOf returns the record of a schema, or that of a union with null.
func recordOf(reader *schema) *schema {
	for _, branch := range reader.branches {
		if branch.kind == "record" {
			return branch
		}
	}
	return reader
}

type avroDecoder struct {
	rest   []byte
	values int
	failed bool
}

func (d *avroDecoder) read(as *schema, depth int) any {
	d.values++
	if depth > maxDepth || d.values > maxValues {
		d.failed = true
	}
	if d.failed {
		return nil
	}
	switch as.kind {
	case "null":
		return nil
	case "boolean":
		if value := d.take(1)[0]; value <= 1 {
			return value == 1
		}
	case "int", "long":
		return d.long()
	case "float":
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(d.take(4))))
	case "double":
		return math.Float64frombits(binary.LittleEndian.Uint64(d.take(8)))
	case "string":
		return d.text()
	case "bytes":
		return string(d.takeSized(d.long()))
	case "fixed":
		return string(d.takeSized(as.size))
	case "enum":
		if index := d.long(); index >= 0 && index < int64(len(as.symbols)) {
			return as.symbols[index]
		}
	case "union":
		if index := d.long(); index >= 0 && index < int64(len(as.branches)) {
			return d.read(as.branches[index], depth+1)
		}
	case "record":
		value := make(map[string]any, len(as.fields))
		for _, field := range as.fields {
			value[field.name] = d.read(field.schema, depth+1)
		}
		return value
	case "array":
		value := []any{}
		d.blocks(func() { value = append(value, d.read(as.items, depth+1)) })
		return value
	case "map":
		value := map[string]any{}
		d.blocks(func() {
			name := d.text()
			value[name] = d.read(as.items, depth+1)
		})
		return value
	}
	d.failed = true
	return nil
}

// blocks reads the blocks of an array or a map: each has its count, and a negative count is followed by the size in bytes.
func (d *avroDecoder) blocks(item func()) {
	for {
		count := d.long()
		if count < 0 {
			d.long()
			count = -count
		}
		if count == 0 || d.failed {
			return
		}
		for ; count > 0 && !d.failed; count-- {
			item()
		}
	}
}

func (d *avroDecoder) long() int64 {
	value, length := binary.Varint(d.rest)
	if length <= 0 {
		d.failed = true
		d.rest = nil
		return 0
	}
	d.rest = d.rest[length:]
	return value
}

func (d *avroDecoder) text() string {
	text := d.takeSized(d.long())
	if !utf8.Valid(text) {
		d.failed = true
	}
	return string(text)
}

// take returns as many bytes; zeros if there are not enough.
func (d *avroDecoder) take(size int) []byte {
	if len(d.rest) < size {
		d.failed = true
		d.rest = nil
		return make([]byte, size)
	}
	taken := d.rest[:size]
	d.rest = d.rest[size:]
	return taken
}

// takeSized is take for a size from outside.
func (d *avroDecoder) takeSized(size int64) []byte {
	if size < 0 || size > int64(len(d.rest)) {
		d.failed = true
		return nil
	}
	return d.take(int(size))
}

var schemas struct {
	sync.Mutex
	parsed map[string]*schema
}

// parsedSchema parses a schema once.
func parsedSchema(text string) (*schema, error) {
	schemas.Lock()
	defer schemas.Unlock()
	if known, ok := schemas.parsed[text]; ok {
		return known, nil
	}
	value, err := parseJSON([]byte(text))
	if err != nil {
		return nil, errSchema
	}
	parsed, err := schemaParser{}.parse(value, 0)
	if err != nil {
		return nil, err
	}
	if len(schemas.parsed) >= maxSchemas || schemas.parsed == nil {
		schemas.parsed = map[string]*schema{}
	}
	schemas.parsed[text] = parsed
	return parsed, nil
}
