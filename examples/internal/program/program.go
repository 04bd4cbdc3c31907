// Package program runs programs of the examples in tests and reads what they print.
package program

import (
	"context"
	"log"
	"strings"
	"testing"
	"time"
)

// patience is how long a program may take to print what is awaited, or to end.
const patience = time.Minute

// Program is one that runs until its context ends. Make one with [Start]. Its methods belong to the test's goroutine.
type Program struct {
	lines chan string
	ended chan struct{} // closed when it has ended
	err   error         // valid then
	stop  context.CancelFunc
}

// Start runs a program on a goroutine of its own. It is stopped when the test ends, if not before.
func Start(t testing.TB, run func(ctx context.Context, out *log.Logger) error) *Program {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	p := &Program{lines: make(chan string, 1000), ended: make(chan struct{}), stop: stop}
	go func() {
		defer close(p.ended)
		p.err = run(ctx, log.New(lineWriter(p.lines), "", 0))
	}()
	t.Cleanup(func() { p.Stop(t) })
	return p
}

// WaitFor reads lines until one contains the text.
func (p *Program) WaitFor(t testing.TB, text string) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	var lines []string
	for {
		select {
		case line := <-p.lines:
			if lines = append(lines, line); strings.Contains(line, text) {
				return
			}
		case <-p.ended:
			t.Fatalf("the program has ended (%v) and not printed %q, but %q", p.err, text, lines)
		case <-limit.C:
			t.Fatalf("the program has not printed %q, but %q", text, lines)
		}
	}
}

// Stop ends the context of the program, as an interrupt does, and expects that it returns without an error.
func (p *Program) Stop(t testing.TB) {
	t.Helper()
	p.stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.ended:
		if p.err != nil {
			t.Errorf("the program has failed: %v", p.err)
		}
	case <-limit.C:
		t.Error("the program does not end")
	}
}

// lineWriter takes one line with each call, as a [log.Logger] makes them.
type lineWriter chan string

func (w lineWriter) Write(line []byte) (int, error) {
	w <- strings.TrimSuffix(string(line), "\n")
	return len(line), nil
}
