package main

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The program prints what README.md says it prints.
func Example() {
	defer func() { _ = os.Remove("flags.db") }()
	if err := run(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// express checkout
	// cart limit: 100 FALLTHROUGH
}
