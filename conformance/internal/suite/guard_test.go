package suite_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
)

func TestGuard_CallThatHangs_FailsTheSubtestOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		o := testrun.Record(t, nil, func(t testrun.T) {
			t.Run("hangs", func(t testrun.T) {
				err := suite.NewGuard(t, time.Minute).Do("Get", func() error { <-end; return nil })
				require.ErrorIs(t, err, suite.ErrHung)
			})
			t.Run("works", func(t testrun.T) {
				require.NoError(t, suite.NewGuard(t, time.Minute).Do("Get", func() error { return nil }))
			})
		})
		close(end)
		require.Contains(t, o.Failed["hangs"], "Get did not return within 1m0s")
		require.NotContains(t, o.Failed, "works")
	})
}

func TestGuard_CallThatPanics_FailsTheSubtestOnly(t *testing.T) {
	o := testrun.Record(t, nil, func(t testrun.T) {
		t.Run("panics", func(t testrun.T) {
			err := suite.NewGuard(t, 0).Do("Get", func() error { panic("for a test") })
			require.ErrorIs(t, err, suite.ErrPanicked)
		})
	})
	require.Contains(t, o.Failed["panics"], "Get panicked: for a test")
}

func TestGuard_Patient_WaitsLonger(t *testing.T) {
	require.Equal(t, 4*suite.DefaultTimeout, suite.NewGuard(t, 0).Patient().Timeout())
}
