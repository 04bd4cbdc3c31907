package core_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestBigSegmentTooLargeError_Error_NamesOneContextAndWrapsErrTooLarge(t *testing.T) {
	one := &core.BigSegmentTooLargeError{ContextHashes: []string{"h1"}}
	require.EqualError(t, one, `the big segments of the context with hash "h1" do not fit into the store: `+
		core.ErrTooLarge.Error())
	require.ErrorIs(t, one, core.ErrTooLarge)
	cause := fmt.Errorf("mystore: %w: a row has 64 KB at most", core.ErrTooLarge)
	two := fmt.Errorf("patch: %w", &core.BigSegmentTooLargeError{ContextHashes: []string{"h1", "h2"}, Err: cause})
	require.ErrorContains(t, two, `"h1" and 1 more do not fit into the store: mystore: `)
	require.ErrorIs(t, two, cause)
	found, ok := errors.AsType[*core.BigSegmentTooLargeError](two)
	require.True(t, ok)
	require.Equal(t, []string{"h1", "h2"}, found.ContextHashes)
}
