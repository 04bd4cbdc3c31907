// Package migrations moves reads and writes from an old system to a new one in stages that a flag decides.
//
// # Stages
//
// The flag's value is the stage. What it means for an operation:
//
//	stage       read                          write
//	off         old only                      old only
//	dualwrite   old only                      old, then new
//	shadow      old, and new to compare       old, then new
//	live        new, and old to compare       new, then old
//	rampdown    new only                      new, then old
//	complete    new only                      new only
//
// The origin named first is authoritative: it decides about the result, and a write to the other one happens only after
// it has succeeded. What the other one returns or fails with is measured, and shows in no result of a read. An unknown
// stage counts as off.
//
// # Measurements
//
// Each operation gives one [core.MigrationEvent]: which origins were called, which failed, how long they took, and, if
// [Config].Compare is set and both could be read, whether they agreed. A [Migrator] does all of that; code that cannot be
// cast into its functions measures with an [OpTracker] itself.
//
// # Errors
//
// An error that a function returns is passed on as it is. A function that panics has failed with a [*PanicError], also
// when it runs in a goroutine of the migrator. Arguments that cannot be used are refused with [core.ErrInvalid].
//
// # Concurrency
//
// Migrators and trackers may be used from any goroutine. A read or write returns when every function that it called has
// returned; the end of its context is for those to notice.
package migrations
