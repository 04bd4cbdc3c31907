package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
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
	const pipe = 3 // the first of the files that the parent passes on
	events := &eventWriter{out: os.NewFile(pipe, "events")}
	store, err := sqlitestore.New(ctx, o.dir.store(), nil)
	if err != nil {
		return err
	}
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{o.dir.flagFile()}, Reload: true}),
		Store:      &announcedStore{Store: store, events: events},
		Cache:      caching.Options{ReadTimeout: patience},
		StartWait:  -1, // WaitFor does
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.WaitFor(ctx, core.DataSourceValid); err != nil {
		return err
	}
	if err := answerAll(ctx, client, questions, o, out); err != nil {
		return err
	}
	if err := events.send(eventReady, nil); err != nil {
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
	if err := writeJSON(o.dir.before(), before); err != nil {
		return err
	}
	printTable(out, subjects(), before, o.all)
	printCounts(out, questions, subjects(), before)

	after, err := evaluateFile(ctx, o.dir.changedFile(), questions)
	if err != nil {
		return err
	}
	printf(out, "  the coming update changes %d of these answers\n", len(compare(before, after)))
	return writeJSON(o.dir.after(), after)
}

// evaluateFile answers the questions by a client in memory that has its flags from the given file.
func evaluateFile(ctx context.Context, path string, questions []question) (answers []answer, err error) {
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{path}}),
		StartWait:  -1,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.WaitFor(ctx, core.DataSourceValid); err != nil {
		return nil, err
	}
	return evaluate(ctx, client, questions, subjects())
}
