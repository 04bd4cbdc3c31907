package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

//go:embed flags.json
var committedFlags []byte

// supervise is the parent of both processes. It returns the exit status.
func supervise(ctx context.Context, o options, stdout, stderr io.Writer) int {
	v, err := runJob(ctx, o, stdout, stderr)
	if err != nil {
		printf(stdout, "\nFAILED: %v\n", err)
		return 1
	}
	printf(stdout, "\n%s\n", v)
	if !v.ok() {
		return 1
	}
	return 0
}

// runJob does everything in the directory, and removes it afterwards if it is a temporary one and all went well.
func runJob(ctx context.Context, o options, stdout, stderr io.Writer) (v verdict, err error) {
	temporary := o.dir == ""
	dir, err := filepath.Abs(string(o.dir))
	if temporary {
		dir, err = os.MkdirTemp("", "cleat-outage-")
	}
	if err != nil {
		return verdict{}, err
	}
	o.dir = workspace(dir)
	defer func() {
		switch {
		case err != nil || !v.ok():
			printf(stdout, "\n  everything is still in %s\n", o.dir)
		case temporary:
			err = os.RemoveAll(string(o.dir))
		}
	}()
	if o.again {
		return comeBack(ctx, o, stdout, stderr)
	}
	caught, err := outage(ctx, o, stdout, stderr)
	if err != nil {
		return verdict{}, err
	}
	v, err = comeBack(ctx, o, stdout, stderr)
	if err == nil && v.ok() {
		printf(stdout, "  %s\n", caught.outcome(v.updated))
	}
	return v, err
}

// outage runs the first process, kills it in the middle of an update, and removes its flag files.
func outage(ctx context.Context, o options, stdout, stderr io.Writer) (strike, error) {
	versions, err := prepareSource(o.dir)
	if err != nil {
		return strike{}, err
	}
	printf(stdout, "1. A client with a SQLite store reads %d bytes of flags from a file.\n\n", len(versions[0]))
	server, err := startServer(ctx, o, stdout, stderr)
	if err != nil {
		return strike{}, err
	}
	defer server.stop()
	duration, err := server.awaitUpdate(ctx)
	if err != nil {
		return strike{}, err
	}
	if err := server.await(ctx, eventReady); err != nil {
		return strike{}, err
	}

	printf(stdout, "\n2. The file changes, and the process is killed while it writes the change to its store.\n\n")
	caught, err := server.killInUpdate(ctx, o.dir, versions, duration)
	if err != nil {
		return strike{}, err
	}
	printf(stdout, "  the first update of the store took %s\n  %s\n", milliseconds(duration), caught)
	if err := os.RemoveAll(o.dir.source()); err != nil {
		return strike{}, err
	}
	printf(stdout, "  the flag files are removed; what is left of the store:\n")
	for _, path := range o.dir.storeFiles() {
		if info, err := os.Stat(path); err == nil {
			printf(stdout, "  %-14s %8d bytes\n", info.Name(), info.Size())
		}
	}
	return caught, nil
}

// prepareSource writes the flag file, its changed version and the questions, and returns both versions. It removes what
// an earlier run left.
func prepareSource(dir workspace) (versions [2][]byte, err error) {
	file, err := parseFlagFile(committedFlags)
	if err != nil {
		return versions, err
	}
	changed, err := file.updated()
	if err != nil {
		return versions, err
	}
	for _, path := range dir.storeFiles() {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return versions, err
		}
	}
	if err := os.MkdirAll(dir.source(), 0o700); err != nil {
		return versions, err
	}
	return [2][]byte{committedFlags, changed}, cmp.Or(
		replaceFile(dir.flagFile(), committedFlags),
		replaceFile(dir.changedFile(), changed),
		writeJSON(dir.questions(), file.questions()),
	)
}

// comeBack runs the second process and compares its answers with those of the first.
func comeBack(ctx context.Context, o options, stdout, stderr io.Writer) (verdict, error) {
	printf(stdout, "\n3. A new process starts on the same store, without any data source.\n\n")
	if _, err := os.Stat(o.dir.source()); !errors.Is(err, os.ErrNotExist) {
		return verdict{}, fmt.Errorf("the flag files are not gone: %s", o.dir.source())
	}
	cmd, err := childCommand(ctx, roleRestart, o, stdout, stderr)
	if err != nil {
		return verdict{}, err
	}
	if err := cmd.Run(); err != nil {
		return verdict{}, fmt.Errorf("the second process failed: %w", err)
	}
	var before, after, restarted []answer
	if err := cmp.Or(
		readJSON(o.dir.before(), &before), readJSON(o.dir.after(), &after), readJSON(o.dir.restarted(), &restarted),
	); err != nil {
		return verdict{}, err
	}
	v, differences := judge(before, after, restarted)
	printf(stdout, "  compared with the answers of the %s: %d differences\n", fileName(v.updated), v.differences)
	printDifferences(stdout, differences)
	return v, nil
}
