// Applies the rules of the Go package to records without Kafka.
//
// For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions. Headers and
// values are in base64. The variable SCHEMAS has the Avro schemas of the writers, by id.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"

	events "trusthub-bridge.io/trusthubevents"
)

const maxLine = 64 << 20

// record is a record of Kafka. encoding/json reads byte slices from base64, and null as nil.
type record struct {
	Headers [][2]json.RawMessage
	Value   []byte
}

func main() {
	var schemas map[string]string
	check(json.Unmarshal([]byte(os.Getenv("SCHEMAS")), &schemas))
	writerSchema := func(id uint32) (string, error) {
		if schema, ok := schemas[strconv.FormatUint(uint64(id), 10)]; ok {
			return schema, nil
		}
		return "", fmt.Errorf("no schema %d", id)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine)
	printed := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var records []record
		check(json.Unmarshal(lines.Bytes(), &records))
		view := events.View{WriterSchema: writerSchema}
		decisions := make([]events.Decision, len(records))
		for index, given := range records {
			var err error
			decisions[index], err = view.Apply(recordOf(given))
			check(err)
		}
		check(printed.Encode(decisions))
	}
	check(lines.Err())
}

func recordOf(given record) events.Record {
	read := events.Record{Value: given.Value}
	for _, header := range given.Headers {
		var name string
		var value []byte
		check(json.Unmarshal(header[0], &name))
		check(json.Unmarshal(header[1], &value))
		read.Headers = append(read.Headers, events.Header{Key: name, Value: value})
	}
	return read
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
