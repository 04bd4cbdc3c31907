package cleat

import "errors"

// Errors that [New] returns together with a client that works.
var (
	// ErrInitTimeout is returned when the data source had not delivered within [Config].StartWait. It keeps trying; until
	// it succeeds, evaluations use what an earlier run or another process left in the store, if anything.
	ErrInitTimeout = errors.New("cleat: the data source has not delivered in time; it keeps trying")

	// ErrInitFailed is returned when the data source has given up before it delivered anything. What is in the store is
	// still used.
	ErrInitFailed = errors.New("cleat: the data source has failed for good")
)
