package main

import (
	"context"
	"errors"
	"io"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/sqlitestore"
)

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
