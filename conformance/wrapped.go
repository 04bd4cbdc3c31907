package conformance

import (
	"log/slog"
	"testing"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
)

// RunWrapped runs every test of [core.FeatureStore] against the adapter that h describes behind a
// [caching.CachingStoreWrapper], in each of its modes, as subtests of t, one after the other.
func RunWrapped(t *testing.T, h Harness) {
	t.Helper()
	runWrapped(testrun.Of(t), h, defaultSizes(), wrap)
}

// wrapper makes a feature store of an adapter's store, which it then owns.
type wrapper func(s core.FeatureStoreCore, mode caching.Mode) (core.FeatureStore, error)

// wrap is the wrapper that is tested. It looks at the database often, so that subtests need not wait for long.
func wrap(s core.FeatureStoreCore, mode caching.Mode) (core.FeatureStore, error) {
	return caching.NewCachingStoreWrapper(s, &caching.Options{
		Mode:          mode,
		CheckInterval: 50 * time.Millisecond,
		MinRetryDelay: 10 * time.Millisecond,
		MaxRetryDelay: 100 * time.Millisecond,
		DisableWatch:  true, // the subtests of the modes are about what is seen without it
		Logger:        slog.New(slog.DiscardHandler),
	})
}

// cacheMode is a mode of the wrapper and what differs in it.
type cacheMode struct {
	name     string
	mode     caching.Mode
	specific []subtest[*wrappedFixture]
}

// shortTTL is long enough for a few calls and short enough to be waited for.
const shortTTL = 300 * time.Millisecond

func cacheModes() []cacheMode {
	return []cacheMode{
		{"Off", caching.Off(), []subtest[*wrappedFixture]{
			{"WritesOfOthersAreSeenAtOnce", testWrappedOthersAtOnce},
			{"WipedDatabaseMakesItStale", testWrappedWipedStale},
		}},
		{"TTL", caching.TTL(shortTTL), []subtest[*wrappedFixture]{
			{"WritesOfOthersAreSeenAfterTheTTL", testWrappedOthersEventually},
			{"WipedDatabaseIsRewritten", testWrappedWipedRewritten},
		}},
		{"Forever", caching.Forever(), []subtest[*wrappedFixture]{
			{"WritesOfOthersStayUnseen", testWrappedOthersNever},
			{"WipedDatabaseIsRewritten", testWrappedWipedRewritten},
		}},
	}
}

func runWrapped(t tester, h Harness, s sizes, wrap wrapper) {
	for _, mode := range cacheModes() {
		tests := append(wrappedTests(), mode.specific...)
		suite.Run(t, []group[*wrappedFixture]{{mode.name, tests}}, func(t tester) *wrappedFixture {
			return &wrappedFixture{fixture: newFixture(t, h, s), mode: mode.mode, wrap: wrap}
		})
	}
}

// wrappedTests are the subtests of every mode.
func wrappedTests() []subtest[*wrappedFixture] {
	return []subtest[*wrappedFixture]{
		{"MissingKeyIsNoError", testWrappedMissing},
		{"VersionsDecide", testWrappedVersions},
		{"DeletedItemsAreHidden", testWrappedDeleted},
		{"InitReplacesEverything", testWrappedInit},
		{"ReadsWhatIsThereAlready", testWrappedExisting},
		{"WritesReachTheDatabase", testWrappedWrites},
		{"TombstonesAreWrittenWhole", testWrappedWholeTombstones},
		{"TombstonesOfAnyShapeAreHidden", testWrappedAnyTombstone},
		{"WinnerOfAnotherWriterIsAdopted", testWrappedLoser},
		{"CorruptItemIsOneBadItem", testWrappedCorrupt},
		{"UpsertHealsCorruptItem", testWrappedHeals},
		{"InvalidArgumentsAreRefused", testWrappedInvalid},
		{"EndedContextIsReported", testWrappedContext},
		{"StatusIsAvailable", testWrappedStatus},
		{"ConcurrentUseEndsAtTheGreatest", testWrappedConcurrently},
		{"CloseClosesTheStore", testWrappedClose},
		{"CloseLeavesNoGoroutine", testWrappedLeak},
	}
}
