// Command outage shows that flags outlive the process, the data source and a half-finished update.
//
//	go run ./examples/outage [-all] [-dir DIR]
//	go run ./examples/outage -again -dir DIR
//
// It starts itself twice. The first process is a client with a SQLite store that reads its flags from a file, evaluates
// all of them for several contexts and prints them. Then the file is replaced by a changed one, and while the client
// writes the change to its store, the process is killed with SIGKILL. The file is removed. The second process has
// nothing but the store: it evaluates the same flags for the same contexts, and every value, variation index, reason and
// version must be what the first process got before the update, or what it would have got after it, but never a
// mixture.
//
// The last line of the output says how it went, and the exit status is 0 only if nothing differs.
//
// With -dir, everything stays in that directory, and -again repeats the second process and the comparison on it, for
// example after a look at the store with the sqlite3 shell.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// timeLimit is how long the whole job may take, and patience how long its clients wait for the store: much
// longer than by default, because the outcome must not depend on how busy the machine is.
const (
	timeLimit = 5 * time.Minute
	patience  = time.Minute
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run does what the arguments say and returns the exit status: 0 for a job without differences, 1 for everything else,
// 2 for wrong arguments.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()

	role := ""
	if len(args) > 0 && (args[0] == roleServe || args[0] == roleRestart) {
		role, args = args[0], args[1:]
	}
	options, err := parseOptions(args, stderr)
	if err != nil {
		return 2
	}
	switch role {
	case roleServe:
		err = serve(ctx, options, stdout)
	case roleRestart:
		err = restart(ctx, options, stdout)
	default:
		return supervise(ctx, options, stdout, stderr)
	}
	if err != nil {
		printf(stderr, "outage %s: %v\n", role, err)
		return 1
	}
	return 0
}

// options are the command's arguments.
type options struct {
	dir   workspace
	all   bool
	again bool
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("outage", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar((*string)(&o.dir), "dir", "", "work in this directory and keep it (default: a temporary one)")
	flags.BoolVar(&o.all, "all", false, "print all flags instead of a selection")
	flags.BoolVar(&o.again, "again", false, "only evaluate and compare again, with what an earlier run left in -dir")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.again && o.dir == "":
		err = errors.New("-again needs the -dir of an earlier run")
	}
	if err != nil {
		printf(stderr, "outage: %v\n", err)
	}
	return o, err
}

// printf prints to out. What cannot be printed is lost; the outcome is in the exit status as well.
func printf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format, args...)
}
