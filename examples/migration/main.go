// Command migration moves customers' addresses from an old system to a new one, in the stage that a flag says. It writes
// one address, reads two, and prints where they came from.
//
//	go run ./examples/migration examples/migration/flags.yaml
//
// Try other stages in the file.
package main

import (
	"context"
	"errors"
	"log"
	"os"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/migrations"
)

const flagKey = "move-addresses"

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: migration FLAG-FILE")
	}
	if err := run(context.Background(), log.New(os.Stdout, "", 0), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *log.Logger, flagFile string) (err error) {
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{flagFile}}),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.WaitFor(ctx, core.DataSourceValid); err != nil {
		return err // better than to take the default stage and write to one system only
	}

	older, newer := newSystem("Berta", "Bern"), newSystem("Berta", "Basel")
	addresses, err := migrations.New(client, migrations.Config[address, string]{
		ReadOld: older.read, WriteOld: older.write,
		ReadNew: newer.read, WriteNew: newer.write,
		// How often both agree goes to the flag service with the other measurements.
		Compare: func(fromOld, fromNew string) bool { return fromOld == fromNew },
	})
	if err != nil {
		return err
	}

	moved := address{customer: "Anna", town: "Aarau"}
	written := addresses.Write(ctx, flagKey, ldcontext.New("Anna"), ldmigration.Off, moved)
	if written.Authoritative.Err != nil {
		return written.Authoritative.Err
	}
	out.Printf("written to %s", written.Authoritative.Origin)
	if other := written.NonAuthoritative; other != nil {
		out.Printf("written to %s too (error: %v)", other.Origin, other.Err)
	}
	for _, customer := range []string{"Anna", "Berta"} {
		found := addresses.Read(ctx, flagKey, ldcontext.New(customer), ldmigration.Off, address{customer: customer})
		if found.Err != nil {
			return found.Err
		}
		out.Printf("%s lives in %s, says %s", customer, found.Value, found.Origin)
	}
	return nil
}
