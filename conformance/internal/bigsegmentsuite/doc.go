// Package bigsegmentsuite is the suite of [core.BigSegmentStore] and [core.BigSegmentWriter] that conformance exports as
// RunBigSegments.
package bigsegmentsuite
