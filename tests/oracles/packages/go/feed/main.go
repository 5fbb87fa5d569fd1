// Applies the rules of the Go package to records without Kafka.
//
// For every line on stdin, a JSON array of the records of one partition, it prints one line: the array of decisions.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	events "trusthub-bridge.io/trusthubevents"
)

const maxLine = 64 << 20

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLine)
	printed := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var records []map[string]*string
		check(json.Unmarshal(lines.Bytes(), &records))
		var view events.View
		decisions := make([]events.Decision, len(records))
		for index, fields := range records {
			var err error
			decisions[index], err = view.Apply(recordOf(fields))
			check(err)
		}
		check(printed.Encode(decisions))
	}
	check(lines.Err())
}

func recordOf(fields map[string]*string) events.Record {
	var record events.Record
	for _, name := range []string{"ce_type", "ce_id", "ce_time"} {
		if text := fields[name]; text != nil {
			record.Headers = append(record.Headers, events.Header{Key: name, Value: []byte(*text)})
		}
	}
	if value := fields["value"]; value != nil {
		record.Value = []byte(*value)
	}
	return record
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
