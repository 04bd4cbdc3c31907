// Package testsource is a data source that an application's tests program: they say what flags there are, and change them
// while clients run.
//
//	flags := testsource.New()
//	flags.Update(flags.Flag("new-checkout").VariationForAll(testsource.True))
//	client, err := cleat.New(ctx, cleat.Config{DataSource: flags.Factory()})
//	…
//	flags.Update(flags.Flag("new-checkout").On(false))
//
// # Updates
//
// A change has reached every client that uses the [Source] when the call that makes it returns, so that a test may
// evaluate at once. Versions increase by themselves, also over a deletion. A client that starts later gets everything
// there is; one that is closed does not disturb the others.
//
// # Flags
//
// [Source.Flag] returns a [FlagBuilder] for what most tests need: targets, rules, variations of any type. Whatever else a
// flag or segment may have, prerequisites and rollouts included, is made as package ldbuilders does it, and given to
// [Source.UsePreconfiguredFlag] or [Source.UsePreconfiguredSegment].
//
// # Interruptions
//
// [Source.UpdateStatus] makes clients see a data source that is interrupted, or has gone.
package testsource
