package core

import (
	"errors"
	"fmt"
)

// Sentinel errors. Stores wrap them; test for them with errors.Is.
var (
	// ErrUnavailable is returned when the database could not be asked or did not answer in time: no connection, a
	// time-out of the store's own, a server that is loading or out of memory, a full disk. The same call may succeed
	// later.
	ErrUnavailable = errors.New("cleat: store unavailable")

	// ErrTooLarge is returned when an item exceeds a limit of the database. It comes in an [*ItemError] that says which
	// item and how large it is. Only that item is refused.
	ErrTooLarge = errors.New("cleat: item too large for the store")

	// ErrCorrupt is returned when what the database holds is not what the layout says: JSON that cannot be read, a key
	// of the wrong type, a damaged file. For a single item it comes in an [*ItemError].
	ErrCorrupt = errors.New("cleat: stored data is corrupt")

	// ErrConflict is returned when an update kept losing against other writers until its retries were used up. Nothing
	// was written; it never means "not newer", which is no error. In a [PartialInitError] it says that another Init, which
	// began later, is writing its data instead.
	ErrConflict = errors.New("cleat: update conflicts with other writers")

	// ErrReadOnly is returned by writing methods when the database can be read but not written: a read-only file, a
	// replica, missing permissions, no memory or disk space left. Reads go on.
	ErrReadOnly = errors.New("cleat: store is read-only")

	// ErrInvalid is returned when an argument cannot be used: a nil context, an empty key, a kind with a forbidden name,
	// a nil item, an option out of range. Nothing was changed.
	ErrInvalid = errors.New("cleat: invalid argument")

	// ErrIncompatible is returned when the database belongs to something else or to a newer version of cleat, and was
	// left untouched.
	ErrIncompatible = errors.New("cleat: store has an incompatible format")

	// ErrClosed is returned by every method but Close once Close has been called, and by calls that Close interrupted.
	ErrClosed = errors.New("cleat: store is closed")
)

// ItemError is an error that concerns one item and no other. It wraps the reason, usually [ErrTooLarge] or
// [ErrCorrupt].
type ItemError struct {
	Kind DataKind // the item's kind
	Key  string   // the item's key
	Size int      // the size of the item's JSON in bytes; 0 if it plays no role, as when the key is too long
	Err  error    // the reason; never nil
}

// Error implements error. Long keys are cut.
func (e *ItemError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("item %q of kind %q (%d bytes): %v", abbreviate(e.Key), string(e.Kind), e.Size, e.Err)
	}
	return fmt.Sprintf("item %q of kind %q: %v", abbreviate(e.Key), string(e.Kind), e.Err)
}

// Unwrap returns the reason.
func (e *ItemError) Unwrap() error { return e.Err }

// ItemErrors returns the ItemErrors that err is, wraps or joins, and whether it consists of nothing else: whether
// everything that does not concern those items was done. An error that also wraps another one, and a
// [PartialInitError], which says that something was not done, do not consist of ItemErrors.
func ItemErrors(err error) (items []*ItemError, only bool) {
	if item, ok := err.(*ItemError); ok { //nolint:errorlint // each branch of the tree is looked at by itself
		return []*ItemError{item}, true
	}
	switch e := err.(type) { //nolint:errorlint // as above
	case *PartialInitError:
		return nil, false
	case interface{ Unwrap() []error }:
		only = true
		for _, branch := range e.Unwrap() {
			found, branchOnly := ItemErrors(branch)
			items = append(items, found...)
			only = only && branchOnly
		}
		return items, only && len(items) > 0
	case interface{ Unwrap() error }:
		if e.Unwrap() != nil {
			return ItemErrors(e.Unwrap())
		}
	}
	return nil, false
}

// PartialInitError is returned by [FeatureStoreCore.Init] when a database that has no transaction large enough stopped
// half way. Some items are new and some old; none was deleted before everything had been written, and the mark that
// says whether the store is initialised is as it was before. Calling Init again with the same data completes it.
type PartialInitError struct {
	Written int   // items that are known to be in the database as wanted
	Total   int   // items that were to be written
	Err     error // what stopped it; never nil
}

// Error implements error.
func (e *PartialInitError) Error() string {
	return fmt.Sprintf("cleat: init stopped after %d of %d items: %v", e.Written, e.Total, e.Err)
}

// Unwrap returns what stopped the Init.
func (e *PartialInitError) Unwrap() error { return e.Err }

func abbreviate(key string) string {
	const limit = 100
	if len(key) <= limit {
		return key
	}
	return key[:limit] + "…"
}
