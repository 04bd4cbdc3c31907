// Command generate writes the flag file of the outage example: made-up flags and segments of a web shop, drawn with a
// fixed seed, so that every run writes the same bytes.
//
//	go run ./examples/outage/generate
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	output := flag.String("o", "examples/outage/flags.json", "file to write")
	flag.Parse()
	if err := write(*output); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	data, err := document()
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // a committed file, meant to be read by everybody
		return err
	}
	fmt.Printf("%s: %d bytes\n", path, len(data))
	return nil
}
