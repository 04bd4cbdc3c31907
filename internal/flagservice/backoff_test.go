package flagservice

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func requireJittered(t *testing.T, want, got time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, got, want/2)
	require.LessOrEqual(t, got, want)
}

func TestBackoff_After_TwoRegimes(t *testing.T) {
	expected, unexpected := errors.New("x"), &StatusError{Status: 401}
	b := Backoff{Initial: time.Second, Max: MaxDelay}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		requireJittered(t, want*time.Second, b.After(expected))
	}
	for range 10 {
		requireJittered(t, ExtendedDelay, b.After(unexpected))
		requireJittered(t, ExtendedDelay, b.After(expected))
	}
	require.True(t, b.Extended())
	requireJittered(t, MaxDelay, b.Short())
	b.Reset()
	require.False(t, b.Extended())
	requireJittered(t, time.Second, b.After(expected))
}

func TestBackoff_After_ExtremeInitialDelays(t *testing.T) {
	for _, initial := range []time.Duration{1, time.Hour, 1<<63 - 1} {
		b := Backoff{Initial: initial, Max: MaxDelay}
		for range 100 {
			delay := b.After(errors.New("x"))
			require.GreaterOrEqual(t, delay, time.Duration(0))
			require.LessOrEqual(t, delay, max(initial, MaxDelay))
		}
	}
}

func TestJitter_UsesTheWholeRange(t *testing.T) {
	low, high := false, false
	for range 1000 {
		delay := Jitter(time.Second)
		requireJittered(t, time.Second, delay)
		low = low || delay < 600*time.Millisecond
		high = high || delay > 900*time.Millisecond
	}
	require.True(t, low && high)
}
