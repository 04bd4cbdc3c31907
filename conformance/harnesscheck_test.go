package conformance

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// What is wrong with the harness is said of the harness, and nothing of the adapter.
func TestRunFeatureStore_BrokenHarness_IsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(*Harness)
		must    []string
	}{
		"WriteRaw does nothing": {
			func(h *Harness) { h.WriteRaw = func(testing.TB, string, core.DataKind, string, []byte) {} },
			[]string{"Harness/ReadRawReturnsWhatWriteRawWrote"},
		},
		"Wipe does nothing": {
			func(h *Harness) { h.Wipe = func(testing.TB) {} }, []string{"Harness/WipeRemovesEverything"},
		},
		"ReadRaw ignores the prefix": {
			func(h *Harness) {
				write, read := h.WriteRaw, h.ReadRaw
				h.WriteRaw = func(t testing.TB, _ string, kind core.DataKind, key string, data []byte) {
					write(t, "", kind, key, data)
				}
				h.ReadRaw = func(t testing.TB, _ string, kind core.DataKind, key string) ([]byte, bool) {
					return read(t, "", kind, key)
				}
			},
			[]string{"Harness/PrefixesAreApart"},
		},
		"ReadRaw fails": {
			func(h *Harness) {
				h.ReadRaw = func(t testing.TB, _ string, _ core.DataKind, _ string) ([]byte, bool) {
					t.Fatal("no connection")
					return nil, false
				}
			},
			[]string{
				"Harness/ReadRawFindsNothingAtFirst", "Harness/ReadRawReturnsWhatWriteRawWrote", "Harness/PrefixesAreApart",
				"Harness/WipeRemovesEverything",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := memoryHarness(new(memorystore.Database))
			test.breakIt(&h)
			o := testrun.Record(t, nil, func(t tester) { runFeatureStore(t, h, tinySizes()) })
			o.RequireFailures(t, append(test.must, "Harness"), nil)
			require.NotContains(t, o.Ran, "Get")
		})
	}
}

func TestHarness_FunctionThatHangs_FailsTheSubtest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := memoryHarness(new(memorystore.Database)), make(chan struct{})
		h.Wipe = func(testing.TB) { <-end }
		o := testrun.Record(t, nil, func(t tester) {
			t.Run("hangs", func(t tester) { h.bounded(time.Minute).Wipe(t) })
		})
		close(end)
		require.Contains(t, o.Failed["hangs"], "Harness.Wipe did not return within 1m0s")
	})
}
