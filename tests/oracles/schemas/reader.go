package main

import (
	"bufio"
	"fmt"
	"os"
)

// Reads each line as an event with the generated types, and writes it as JSON.
func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		event, err := UnmarshalProfileStatusChanged(lines.Bytes())
		for _, reason := range event.Errors {
			if reason.Code <= 0 {
				err = fmt.Errorf("no code in %s", lines.Text())
			}
		}
		written, problem := event.Marshal()
		if err != nil || problem != nil {
			fmt.Fprintln(os.Stderr, err, problem)
			os.Exit(1)
		}
		fmt.Println(string(written))
	}
}
