package migrations

import "github.com/launchdarkly/go-sdk-common/v3/ldmigration"

// OperationResult is what one origin returned.
type OperationResult[R any] struct {
	// Origin is who returned it.
	Origin ldmigration.Origin
	// Value is what its function returned.
	Value R
	// Err is why it failed; nil if it did not.
	Err error
}

// WriteResult is the result of a write.
type WriteResult[R any] struct {
	// Authoritative is the result of the origin that decides. Its Err says whether the write succeeded.
	Authoritative OperationResult[R]
	// NonAuthoritative is the result of the other origin; nil if that was not called, because of the stage or because the
	// authoritative origin failed.
	NonAuthoritative *OperationResult[R]
}
