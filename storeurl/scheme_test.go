package storeurl_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/storeurl"
)

// A store that is returned with an error is no store: an interface that holds a nil pointer would look like one.
func TestNewScheme_Failure_ReturnsNoStore(t *testing.T) {
	failure := errors.New("no such database")
	scheme := storeurl.NewScheme("x", nil,
		func(u *storeurl.URL) (string, error) { u.Int("shard"); return u.Host(), u.Check() },
		func(context.Context, string) (*memorystore.Store, error) { return nil, failure },
		func(context.Context, string) (*memorystore.BigSegments, error) { return nil, failure })
	for text, want := range map[string]error{"x://h": failure, "x://h?shard=many": core.ErrInvalid} {
		store, err := scheme.OpenStore(t.Context(), parsed(t, text))
		require.ErrorIs(t, err, want)
		require.True(t, store == nil, text) //nolint:testifylint // Nil takes an interface that holds a nil pointer for nil
		segments, err := scheme.OpenBigSegments(t.Context(), parsed(t, text))
		require.ErrorIs(t, err, want)
		require.True(t, segments == nil, text) //nolint:testifylint // as above
	}
}
