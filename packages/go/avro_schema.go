package trusthubevents

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// It is not an UnusableError: the record can be read with the right schema.
var errSchema = errors.New("the schema of the writer is not an Avro schema")

var primitiveTypes = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

// schemaParser has the named types of a schema.
type schemaParser map[string]*schema

func (p schemaParser) parse(value any, depth int) (*schema, error) {
	if depth > maxDepth {
		return nil, errSchema
	}
	switch value := value.(type) {
	case string:
		if named, ok := p[value]; ok {
			return named, nil
		}
		if slices.Contains(primitiveTypes, value) {
			return &schema{kind: value}, nil
		}
	case []any:
		union := &schema{kind: "union"}
		for _, branch := range value {
			parsed, err := p.parse(branch, depth+1)
			if err != nil {
				return nil, err
			}
			union.branches = append(union.branches, parsed)
		}
		return union, nil
	case map[string]any:
		return p.parseObject(value, depth)
	}
	return nil, errSchema
}

func (p schemaParser) parseObject(value map[string]any, depth int) (*schema, error) {
	kind, _ := value["type"].(string)
	parsed := &schema{kind: kind}
	p.name(value, parsed)
	switch kind {
	case "record":
		return parsed, p.parseFields(value, parsed, depth)
	case "enum":
		symbols, _ := value["symbols"].([]any)
		for _, symbol := range symbols {
			text, _ := symbol.(string)
			parsed.symbols = append(parsed.symbols, text)
		}
		return parsed, nil
	case "fixed":
		number, _ := value["size"].(json.Number)
		size, err := number.Int64()
		if err != nil {
			return nil, errSchema
		}
		parsed.size = size
		return parsed, nil
	case "array":
		return p.parseItems(parsed, value["items"], depth)
	case "map":
		return p.parseItems(parsed, value["values"], depth)
	}
	// A type with annotations, such as a logical type.
	return p.parse(value["type"], depth+1)
}

// name makes a type known under its name, and its name with its namespace.
func (p schemaParser) name(value map[string]any, parsed *schema) {
	name, ok := value["name"].(string)
	if !ok {
		return
	}
	parsed.name = name
	// A name with a dot has its namespace already.
	if namespace, ok := value["namespace"].(string); ok && !strings.Contains(name, ".") {
		parsed.name = namespace + "." + name
	}
	p[name] = parsed
	p[parsed.name] = parsed
}

func (p schemaParser) parseItems(parsed *schema, items any, depth int) (*schema, error) {
	var err error
	parsed.items, err = p.parse(items, depth+1)
	return parsed, err
}

func (p schemaParser) parseFields(value map[string]any, parsed *schema, depth int) error {
	fields, _ := value["fields"].([]any)
	for _, each := range fields {
		field, ok := each.(map[string]any)
		if !ok {
			return errSchema
		}
		name, _ := field["name"].(string)
		of, err := p.parse(field["type"], depth+1)
		if err != nil {
			return err
		}
		defaultValue, hasDefault := field["default"]
		parsed.fields = append(parsed.fields, schemaField{name, of, defaultValue, hasDefault})
	}
	return nil
}
