package migrations_test

import (
	"context"
	"fmt"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldmigration"

	"github.com/cleatdev/cleat/migrations"
)

func ExampleMigrator_Read() {
	read := func(system string) func(context.Context, int) (string, error) {
		return func(_ context.Context, id int) (string, error) { return fmt.Sprintf("%d from %s", id, system), nil }
	}
	write := func(context.Context, int) (string, error) { return "", nil }
	client := &client{stage: ldmigration.Live} // in an application, a flag client
	migrator, err := migrations.New(client, migrations.Config[int, string]{
		ReadOld: read("MySQL"), ReadNew: read("Postgres"), WriteOld: write, WriteNew: write,
		Compare: func(fromOld, fromNew string) bool { return fromOld == fromNew },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result := migrator.Read(context.Background(), "move-orders", ldcontext.New("mina"), ldmigration.Off, 42)
	fmt.Println(result.Origin, result.Value, result.Err)
	fmt.Println("consistent:", client.events[0].Consistency.Consistent())
	// Output:
	// new 42 from Postgres <nil>
	// consistent: false
}

func ExampleOpTracker() {
	ctx, mina := context.Background(), ldcontext.New("mina")
	client := &client{stage: ldmigration.DualWrite} // in an application, a flag client
	stage, tracker := client.MigrationVariation(ctx, "move-orders", mina, ldmigration.Off)
	tracker.Operation(ldmigration.Write)
	tracker.TrackInvoked(ldmigration.Old)
	if stage == ldmigration.DualWrite {
		tracker.TrackInvoked(ldmigration.New)
		tracker.TrackError(ldmigration.New)
	}
	client.TrackMigration(ctx, tracker)
	event := client.events[0]
	fmt.Println(event.Operation, len(event.Invoked), "invoked,", len(event.Failed), "failed")
	// Output: write 2 invoked, 1 failed
}

func ExampleParseExecutionOrder() {
	fmt.Println(migrations.ParseExecutionOrder("parallel"))
	// Output: concurrent <nil>
}
