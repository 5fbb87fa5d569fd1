package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	events "trusthub-bridge.io/trusthubevents"
)

const registryTimeout = 10 * time.Second

// writerSchema returns the function that asks the schema registry for the schemas of records in Avro, each once. It is nil without a
// registry: then a record in Avro ends the program, which continues there at its next start.
func writerSchema() events.WriterSchema {
	registry := strings.TrimRight(os.Getenv("SCHEMA_REGISTRY_URL"), "/")
	if registry == "" {
		return nil
	}
	client := http.Client{Timeout: registryTimeout}
	known := map[uint32]string{}
	return func(id uint32) (string, error) {
		if _, ok := known[id]; !ok {
			schema, err := fetch(&client, fmt.Sprintf("%s/schemas/ids/%d", registry, id))
			if err != nil {
				return "", err
			}
			known[id] = schema
		}
		return known[id], nil
	}
}

func fetch(client *http.Client, url string) (string, error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the schema registry answers %s", response.Status)
	}
	var answer struct{ Schema string }
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Schema, err
}
