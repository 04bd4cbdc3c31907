// Package benchmarks measures cleat beside LaunchDarkly's Go SDK, and beside the bare driver or evaluator, in the same
// process and run. It is a module of its own, because nothing that a user of cleat imports may need that SDK.
//
// # Use
//
// From the root of the repository:
//
//	go test -C benchmarks -run '^TestMeasure$' -timeout 60m -args -measure
//
// prints a table. Arguments after -measure:
//
//   - -write: also write docs/benchmarks.md and the chart docs/benchmarks.svg. All rows have to be measured.
//   - -run regexp: measure only the workloads whose names match, such as wrapper/ or redis/upsert
//   - -rounds n: how often all sides are measured; 7 by default, and at least 5
//   - -quick: little data and little time, to see whether everything works; the figures mean nothing
//   - -profile directory: write a CPU profile of our side of each workload there
//
// The servers are started in the way of package conformance/containers, and the same environment variables apply. A
// workload whose server cannot be reached is left out and named.
//
// Without -measure, the tests run every workload quickly and hold our side to limits of what can be counted: allocations,
// bytes, requests, heap. Workloads whose server cannot be reached are skipped.
//
// # How it measures
//
// A round takes one sample of each side, theirs, ours and bare, in an order that rotates from round to round, so that what
// else the machine does burdens all of them. Figures are medians over the rounds. A ratio is the median of the ratios
// within the rounds, which a machine that is slower for a while distorts less than the ratio of two medians. Short
// operations are performed at different depths of the stack, because the depth that a caller happens to have can make
// one side look a fifth slower.
//
// The workloads are in the files named after them, one for each row of the table: what is set up, what each side does, and
// the goal. Packages measure and report hold what is common to them.
package benchmarks
