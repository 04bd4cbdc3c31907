package core

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// FlagChange says that some part of a flag changed, or of a segment or prerequisite flag that it depends on. Its value
// for a given context may or may not differ.
type FlagChange struct {
	Key string
}

// FlagValueChange says that the value of a flag for one context differs from what it was.
type FlagValueChange struct {
	Key      string
	OldValue ldvalue.Value
	NewValue ldvalue.Value
}

// FlagTracker tells of changes to flags: those that the data source delivers, and those that other processes make in a
// store that can be watched (see [Watcher]), which is the only kind there is in a client that just reads a database.
type FlagTracker interface {
	// AddFlagChangeListener calls listener with every change until remove is called, as the package documentation says under Listeners.
	AddFlagChangeListener(listener func(FlagChange)) (remove func())

	// AddFlagValueChangeListener evaluates the flag for the context at once, and again after each change of the flag,
	// and calls listener if the value differs, until remove is called. The default value is what a flag that cannot be
	// evaluated counts as.
	//
	// It is also evaluated again when the store of big segments is available or up to date again. A change of who is in a big
	// segment is announced by nothing, and so by no call of listener.
	AddFlagValueChangeListener(
		key string, context ldcontext.Context, defaultValue ldvalue.Value, listener func(FlagValueChange),
	) (remove func())
}
