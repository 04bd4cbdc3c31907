package testrun_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
)

// suite has a subtest for every way of failing.
func suite(t testrun.T) {
	t.Run("group", func(t testrun.T) {
		t.Run("passes", func(testrun.T) {})
		t.Run("reports twice", func(t testrun.T) {
			t.Errorf("first %d", 1)
			t.Error("second")
		})
		t.Run("ends", func(t testrun.T) {
			t.Cleanup(func() { t.Error("in the clean-up") })
			t.FailNow()
		})
	})
	t.Run("panics", func(testrun.T) { panic("for a test") })
	t.Run("waits", func(t testrun.T) {
		testrun.Eventually(t, time.Millisecond, "the tide", func() string { return "low" })
	})
}

func TestRecord_KeepsFailuresToItself(t *testing.T) {
	o := testrun.Record(t, nil, suite)
	require.Equal(t, []string{"group", "group/passes", "group/reports twice", "group/ends", "panics", "waits"}, o.Ran)
	require.Len(t, o.Failed, 4)
	require.Equal(t, "first 1", o.Failed["group/reports twice"])
	require.Equal(t, "failed", o.Failed["group/ends"])
	require.Contains(t, o.Failed["panics"], "panic: for a test")
	require.Equal(t, "the tide: after 1ms still low", o.Failed["waits"])
	o.RequireFailures(t, []string{"panics", "waits"}, []string{"group/reports twice", "group/ends", "group/passes"})
}

func TestRecord_Only_RunsNothingElse(t *testing.T) {
	for _, test := range []struct{ only, ran []string }{
		{[]string{"panics", "waits"}, []string{"panics", "waits"}},
		{[]string{"group/ends", "waits"}, []string{"group", "group/ends", "waits"}},
		{[]string{"group"}, []string{"group", "group/passes", "group/reports twice", "group/ends"}},
	} {
		require.Equal(t, test.ran, testrun.Record(t, test.only, suite).Ran)
	}
}

func TestOutcomes_RequireFailures_FailsOnAnythingElse(t *testing.T) {
	failures := []string{"group/reports twice", "group/ends", "panics", "waits"}
	for name, names := range map[string]struct{ must, may []string }{
		"no such subtest":      {must: []string{"nothing"}, may: failures},
		"none that may be":     {may: append([]string{"nothing"}, failures...)},
		"the meant one passed": {must: []string{"group/passes"}, may: failures},
		"another failed":       {must: []string{"panics"}, may: failures[:3]},
	} {
		t.Run(name, func(t *testing.T) {
			o := testrun.Record(t, nil, func(t testrun.T) {
				testrun.Record(t, nil, suite).RequireFailures(t, names.must, names.may)
			})
			require.Len(t, o.Failed, 1)
		})
	}
}

func TestOf_RunsSubtestsOfGo(t *testing.T) {
	var name string
	require.True(t, testrun.Of(t).Run("sub", func(t testrun.T) { name = t.Name() }))
	require.Equal(t, "TestOf_RunsSubtestsOfGo/sub", name)
}
