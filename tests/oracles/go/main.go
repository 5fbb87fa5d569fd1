// Twilio's official Go library as a signature oracle, with the same protocol as ../python/oracle.py, for validation only.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/twilio/twilio-go/client"
)

type request struct {
	Token     string
	URL       string
	Signature string
	Form      *[]byte
	Body      *[]byte
}

type answer struct {
	Valid bool   `json:"valid"`
	Error string `json:"error,omitempty"`
}

// firstValues reads a form as Twilio's guides for Go do: the first value of each field.
func firstValues(form []byte) (map[string]string, error) {
	fields, err := url.ParseQuery(string(form))
	params := make(map[string]string, len(fields))
	for name, values := range fields {
		params[name] = values[0]
	}
	return params, err
}

func validate(request request) answer {
	validator := client.NewRequestValidator(request.Token)
	if request.Body != nil {
		return answer{Valid: validator.ValidateBody(request.URL, *request.Body, request.Signature)}
	}
	params, err := firstValues(*request.Form)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Valid: validator.Validate(request.URL, params, request.Signature)}
}

func answerLine(line []byte) ([]byte, error) {
	var requests []request
	if err := json.Unmarshal(line, &requests); err != nil {
		return nil, err
	}
	answers := make([]answer, 0, len(requests))
	for _, request := range requests {
		answers = append(answers, validate(request))
	}
	return json.Marshal(answers)
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			line, err = answerLine(line)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s\n", line)
	}
}
