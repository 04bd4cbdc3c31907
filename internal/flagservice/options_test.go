package flagservice

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

func TestNotNegative(t *testing.T) {
	require.NoError(t, NotNegative("polling", "Interval", time.Duration(0)))
	require.NoError(t, NotNegative("polling", "MaxPayloadSize", int64(1)))
	err := NotNegative("polling", "Interval", -time.Second)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "polling: ")
	require.ErrorContains(t, err, "Interval -1s is negative")
}
