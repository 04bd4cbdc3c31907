package core

import (
	"context"
	"time"
)

// Initializer obtains data once, when a client starts, to begin with before a [Synchronizer] delivers.
type Initializer interface {
	// Fetch returns the data, or an update that says why there is none. A [ChangeSetNone] is no data. The directive is nil unless
	// the flag service gives one, and is followed after the data has been used. Fetch ends when ctx does,
	// which is after 30 s at the latest.
	Fetch(ctx context.Context, has Selector) (Update, *FallbackDirective)
}

// Synchronizer keeps the data of a client current.
type Synchronizer interface {
	// Run calls tell with what it gets, one update at a time, and goes on after whatever may heal. When tell returns, evaluations
	// see the update, unless ctx has ended. Run asks has for the state that the client has whenever it begins a request. It returns
	// when ctx has ended, after which it may be run again; when the flag service has given a directive, which it returns; or when it
	// is of no use to go on, of which the last update says why.
	Run(ctx context.Context, has func() Selector, tell func(Update)) *FallbackDirective
}

// Update is what an [Initializer] or a [Synchronizer] tells: a change set or an error.
type Update struct {
	// ChangeSet is what has arrived; nil if nothing has.
	ChangeSet *ChangeSet
	// Error is why nothing has; the zero value if all is well.
	Error DataSourceErrorInfo
	// EnvironmentID names the environment whose data it is; empty if the service has not said.
	EnvironmentID string
}

// FallbackDirective is the flag service's word that its first protocol is to be used for a while.
type FallbackDirective struct {
	// TTL is for how long.
	TTL time.Duration
}

// InitializerFactory makes an [Initializer] with the settings of the client. It obtains nothing yet.
type InitializerFactory func(settings ClientSettings) (Initializer, error)

// SynchronizerFactory makes a [Synchronizer] with the settings of the client. It does not begin.
type SynchronizerFactory func(settings ClientSettings) (Synchronizer, error)

// DataSystem says where a client gets its data from, in the second generation of the flag service's protocol. The zero value has no
// source.
type DataSystem struct {
	// Initializers are asked one after the other at the start, until one delivers data with a [Selector].
	Initializers []InitializerFactory
	// Synchronizers keep the data current, one at a time, by preference the first. One that delivers nothing for 10 s, or is
	// interrupted for a minute, is left for the next; after 5 min of valid data the client returns to the first.
	Synchronizers []SynchronizerFactory
	// Fallback takes the place of all of them while the flag service directs to its first protocol; nil if there is none.
	Fallback SynchronizerFactory
}
