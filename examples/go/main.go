// A consumer of the events: keeps the latest status of every profile and prints its decision about each record.
//
// README.md says how to run it. The package trusthubevents has the rules; this file only passes records from Kafka to them.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"
	events "trusthub-bridge.io/trusthubevents"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	client := subscribe()
	defer client.CloseAllowingRebalance()
	// In memory, and so empty at each start: docs/consume/offsets.md says where a real consumer keeps it.
	view := events.View{WriterSchema: writerSchema()}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		// The client reconnects automatically.
		fetches.EachError(func(topic string, partition int32, err error) { log.Print(topic, partition, err) })
		fetches.EachRecord(func(record *kgo.Record) {
			decision, err := view.Apply(recordOf(record))
			if err != nil {
				log.Fatal(err)
			}
			report(record, decision)
			// Only after the record is applied: otherwise a crash would lose it. If this commit is lost, the event is read
			// again, and a view that has it recognizes its ce_id.
			client.MarkCommitRecords(record)
		})
		client.AllowRebalance()
	}
}

func recordOf(record *kgo.Record) events.Record {
	headers := make([]events.Header, len(record.Headers))
	for index, header := range record.Headers {
		headers[index] = events.Header(header)
	}
	return events.Record{Headers: headers, Value: record.Value}
}

// report prints one JSON line for every record, and one line to stderr for a record that an operator should check.
func report(record *kgo.Record, decision events.Decision) {
	if err := json.NewEncoder(os.Stdout).Encode(decision); err != nil {
		log.Fatal(err)
	}
	if decision.Problem != "" {
		position := fmt.Sprintf("%s[%d]@%d", record.Topic, record.Partition, record.Offset)
		fmt.Fprintf(os.Stderr, "skipped: the record at %s %s\n", position, decision.Problem)
	}
}
