package optioncheck_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

type options struct {
	Name    string
	Timeout time.Duration
	Size    int64
	Count   int
	own     int
}

func TestNotNegative_NamesEachField(t *testing.T) {
	require.NoError(t, optioncheck.NotNegative("pkg", options{Timeout: 1, Size: 1, own: -1}))
	err := optioncheck.NotNegative("pkg", options{Name: "x", Timeout: -time.Second, Size: -2, Count: -3}, "Count")
	require.ErrorIs(t, err, core.ErrInvalid)
	require.EqualError(t, err, "pkg: cleat: invalid argument: Timeout -1s is negative\npkg: cleat: invalid argument: Size -2 is negative")
}

func TestSDKKey_VisibleASCIIWithoutQuotes(t *testing.T) {
	for _, key := range []string{"sdk-7a1c-4b2d", "any_key.1", "a/b+c=="} {
		require.True(t, optioncheck.SDKKey(key), key)
	}
	for _, key := range []string{
		`"sdk-1"`, "'sdk-1'", "`sdk-1`", "\ufeffsdk-1", "sdk-1\n", "sdk 1", "sdk-1\u00a0", "sdk\u20111", "sdk-é", "sdk-\x00", "\xff",
	} {
		require.False(t, optioncheck.SDKKey(key), "%q", key)
	}
}
