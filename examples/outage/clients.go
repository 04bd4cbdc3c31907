package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/sqlitestore"
)

// serve is the first process: it reads the flag file into the store, evaluates and prints all flags, and then writes
// every change of the file to the store until it is killed.
func serve(ctx context.Context, o options, out io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // standard input ends when the parent does
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	var questions []question
	if err := readJSON(o.dir.questions(), &questions); err != nil {
		return err
	}
	pipe := os.NewFile(3, "pipe") // the first of the files that the parent passes on
	store, err := sqlitestore.New(ctx, o.dir.store(), nil)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{o.dir.flagFile()}, Reload: true}),
		Store:      &announcedStore{Store: store, pipe: pipe},
		Cache:      caching.Options{ReadTimeout: patience},
		StartWait:  patience,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := answerAll(ctx, client, questions, o, out); err != nil {
		return err
	}
	if err := send(pipe, eventReady); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// answerAll records and prints what the flags are now, and records what they will be after the update.
func answerAll(ctx context.Context, client *cleat.Client, questions []question, o options, out io.Writer) error {
	before, err := evaluate(ctx, client, questions, subjects())
	if err != nil {
		return err
	}
	printTable(out, subjects(), before, o.all)
	printCounts(out, questions, subjects(), before)

	after, err := evaluateFile(ctx, o.dir.changedFile(), questions)
	if err != nil {
		return err
	}
	printf(out, "  the coming update changes %d of these answers\n", len(compare(before, after)))
	return cmp.Or(writeJSON(o.dir.before(), before), writeJSON(o.dir.after(), after))
}

// evaluateFile answers the questions by a client in memory that has its flags from the given file.
func evaluateFile(ctx context.Context, path string, questions []question) (answers []answer, err error) {
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{path}}),
		StartWait:  patience,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return evaluate(ctx, client, questions, subjects())
}

// restart is the second process: a client without a data source on the store that the first one left. It knows keys
// and types of the flags, as any application does, and nothing else.
func restart(ctx context.Context, o options, out io.Writer) (err error) {
	var questions []question
	if err := readJSON(o.dir.questions(), &questions); err != nil {
		return err
	}
	store, err := sqlitestore.New(ctx, o.dir.store(), nil)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{Daemon: true, Store: store, Cache: caching.Options{ReadTimeout: patience}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	answers, err := evaluate(ctx, client, questions, subjects())
	if err != nil {
		return err
	}
	printCounts(out, questions, subjects(), answers)
	status := client.DataStoreStatus().Status()
	printf(out, "  data source none; store available: %t, stale: %t\n", status.Available, status.Stale)
	return writeJSON(o.dir.restarted(), answers)
}
