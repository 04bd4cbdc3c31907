// Package measure compares what several sides need for the same work: it takes samples of all of them in turn, and says
// whether goals are met.
//
// # Concurrency
//
// One comparison is made at a time: a sample counts what the whole process allocates. A [Comparison] that is finished may
// be read by any number of goroutines.
package measure
