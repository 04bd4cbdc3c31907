// Package suite is what the suites of conformance have in common: groups of subtests, calls that are guarded, and stores that
// are closed while they are in use.
package suite
