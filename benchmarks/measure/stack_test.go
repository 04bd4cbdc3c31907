package measure

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestSpread_PerformsAllAtDifferentDepths(t *testing.T) {
	for _, n := range []int{0, 1, depths - 1, depths, depths + 1, 1000} {
		total := 0
		places := map[uintptr]bool{}
		require.NoError(t, spread(func(part int) error {
			var local byte
			places[uintptr(unsafe.Pointer(&local))%4096/64] = true
			total += part
			return nil
		}, n))
		require.Equal(t, n, total)
		if n >= depths {
			require.Greater(t, len(places), depths/2, "in different places of a page")
		}
	}
	cause := errors.New("no more paper")
	require.ErrorIs(t, spread(func(int) error { return cause }, 100), cause)
}
