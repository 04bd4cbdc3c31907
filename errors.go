package cleat

import "errors"

// Errors that [New] returns together with a client that works.
var (
	// ErrInitTimeout is returned when the data source had not delivered within [Config].StartWait. It keeps trying; until
	// it succeeds, evaluations use what an earlier run or another process left in the store, if anything.
	ErrInitTimeout = errors.New("cleat: the data source has not delivered in time; it keeps trying")

	// ErrInitFailed is returned when it is clear that the data source will not deliver soon: it has given up, or the flag
	// service has refused the SDK key. In the latter case it goes on trying, since a key may be accepted later; the client's
	// DataSourceStatus says which it is. What is in the store is still used.
	ErrInitFailed = errors.New("cleat: the data source cannot deliver")
)
