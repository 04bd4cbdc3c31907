package main

import (
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
	v, err := runJob(ctx, &o, stdout, stderr)
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

func runJob(ctx context.Context, o *options, stdout, stderr io.Writer) (v verdict, err error) {
	remove, err := prepareDirectory(o)
	if err != nil {
		return verdict{}, err
	}
	defer func() {
		if err == nil && v.ok() {
			err = remove()
			return
		}
		printf(stdout, "\n  everything is still in %s\n", o.dir)
	}()
	var caught *strike
	if !o.again {
		if caught, err = outage(ctx, *o, stdout, stderr); err != nil {
			return verdict{}, err
		}
	}
	v, err = comeBack(ctx, *o, stdout, stderr)
	if err == nil && caught != nil && v.ok() {
		printf(stdout, "  %s\n", caught.outcome(v.updated))
	}
	return v, err
}

// prepareDirectory makes a temporary directory if none was given, and returns what removes it.
func prepareDirectory(o *options) (remove func() error, err error) {
	if o.dir == "" {
		dir, err := os.MkdirTemp("", "cleat-outage-")
		if err != nil {
			return nil, err
		}
		o.dir = workspace(dir)
		return func() error { return os.RemoveAll(dir) }, nil
	}
	dir, err := filepath.Abs(string(o.dir))
	if err != nil {
		return nil, err
	}
	o.dir = workspace(dir)
	return func() error { return nil }, os.MkdirAll(dir, 0o700)
}

// outage runs the first process, kills it in the middle of an update, and removes its flag files.
func outage(ctx context.Context, o options, stdout, stderr io.Writer) (*strike, error) {
	versions, err := prepareSource(o.dir)
	if err != nil {
		return nil, err
	}
	printf(stdout, "1. A client with a SQLite store reads %d bytes of flags from a file.\n\n", len(versions[0]))
	server, err := startServer(ctx, o, stdout, stderr)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	duration, err := server.awaitUpdate(ctx)
	if err != nil {
		return nil, err
	}
	if err := server.await(ctx, eventReady); err != nil {
		return nil, err
	}

	printf(stdout, "\n2. The file changes, and the process is killed while it writes the change to its store.\n\n")
	caught, err := server.killInUpdate(ctx, o, versions, duration)
	if err != nil {
		return nil, err
	}
	printf(stdout, "  the first update of the store took %s\n  %s\n", milliseconds(duration), caught)
	if err := os.RemoveAll(o.dir.source()); err != nil {
		return nil, err
	}
	printf(stdout, "  the flag files are removed; what is left of the store:\n")
	printFiles(stdout, o.dir)
	return &caught, nil
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
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(dir.store() + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return versions, err
		}
	}
	if err := os.MkdirAll(dir.source(), 0o700); err != nil {
		return versions, err
	}
	if err := replaceFile(dir.flagFile(), committedFlags); err != nil {
		return versions, err
	}
	if err := replaceFile(dir.changedFile(), changed); err != nil {
		return versions, err
	}
	return [2][]byte{committedFlags, changed}, writeJSON(dir.questions(), file.questions())
}

// comeBack runs the second process and compares its answers with those of the first.
func comeBack(ctx context.Context, o options, stdout, stderr io.Writer) (verdict, error) {
	printf(stdout, "\n3. A new process starts on the same store, without any data source.\n\n")
	if _, err := os.Stat(o.dir.source()); !errors.Is(err, os.ErrNotExist) {
		return verdict{}, fmt.Errorf("the flag files are not gone: %s", o.dir.source())
	}
	if err := os.Remove(o.dir.restarted()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return verdict{}, err
	}
	cmd, err := childCommand(ctx, roleRestart, o, stdout, stderr)
	if err != nil {
		return verdict{}, err
	}
	if err := cmd.Run(); err != nil {
		return verdict{}, fmt.Errorf("the second process failed: %w", err)
	}
	var before, after, restarted []answer
	for path, into := range map[string]*[]answer{
		o.dir.before(): &before, o.dir.after(): &after, o.dir.restarted(): &restarted,
	} {
		if err := readJSON(path, into); err != nil {
			return verdict{}, err
		}
	}
	v, differences := judge(before, after, restarted)
	printf(stdout, "  compared with the answers of the %s: %d differences\n", v.set(), v.differences)
	printDifferences(stdout, differences)
	return v, nil
}
