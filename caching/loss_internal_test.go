package caching

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is left in the database tells a deletion from a loss.
func TestJudgeLook(t *testing.T) {
	for _, c := range []struct {
		known, absent, older, stored int
		want                         finding
	}{
		{50, 0, 0, 50, nothingGone},
		{1, 1, 0, 0, aloneGone},
		{1, 1, 0, 1999, mostGone}, // one flag of many, and another process has deleted it
		{2, 2, 0, 0, togetherGone},
		{2, 2, 0, 1998, mostGone},
		{50, 50, 0, 3, togetherGone}, // evicted, and three were written since
		{50, 47, 0, 3, mostGone},
		{50, 25, 0, 25, mostGone},
		{50, 5, 0, 45, someGone},
		{50, 0, 1, 50, someGone},
	} {
		require.Equal(t, c.want, judgeLook(c.known, c.absent, c.older, c.stored), "%+v", c)
	}
}
