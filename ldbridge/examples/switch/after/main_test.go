package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
)

func TestMain(m *testing.M) {
	var options []goleak.Option
	for _, function := range containers.BackgroundFunctions() {
		options = append(options, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(containers.WithCleanup(m), options...)
}

const output = "ana false FALLTHROUGH\nbob true RULE_MATCH(0,rule)\n"

// The two programs differ in an import, which becomes two, and the two stores, and in nothing else.
func TestSwitch_IsFourLines(t *testing.T) {
	before, err := os.ReadFile("../before/main.go")
	require.NoError(t, err)
	after, err := os.ReadFile("main.go")
	require.NoError(t, err)
	linesBefore, linesAfter := strings.Split(string(before), "\n"), strings.Split(string(after), "\n")
	require.Len(t, linesAfter, len(linesBefore)+1)
	same := slices.DeleteFunc(slices.Clone(linesBefore), func(line string) bool { return strings.Contains(line, "ldredis") })
	var different []string
	kept := slices.DeleteFunc(slices.Clone(linesAfter), func(line string) bool {
		if !strings.Contains(line, "ldbridge") && !strings.Contains(line, "cleat/backends") {
			return false
		}
		different = append(different, line)
		return true
	})
	require.Equal(t, same, kept)
	require.Len(t, different, 4)
}

// On the same database, the program prints the same after the switch.
func TestRun_SameDatabase_PrintsTheSame(t *testing.T) {
	store := containers.Redis(t)
	fill(t, store)
	command := exec.CommandContext(t.Context(), "go", "run", "../before")
	command.Env = append(os.Environ(), "FLAG_STORE="+store)
	printed, err := command.CombinedOutput()
	require.NoError(t, err, "%s", printed)
	require.Equal(t, output, string(printed))
	requireRun(t, store)
}

// After the switch, any other store will do.
func TestRun_OtherDatabase(t *testing.T) {
	store := "sqlite://" + filepath.Join(t.TempDir(), "flags.db")
	fill(t, store)
	requireRun(t, store)
}

func requireRun(t *testing.T, store string) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(&out, store))
	require.Equal(t, output, out.String())
}

// fill writes a flag and the big segment that it refers to.
func fill(t *testing.T, storeURL string) {
	t.Helper()
	flag := ldbuilders.NewFlagBuilder("for-a-crowd").Version(1).On(true).
		Variations(ldvalue.Bool(false), ldvalue.Bool(true)).OffVariation(0).FallthroughVariation(0).
		AddRule(ldbuilders.NewRuleBuilder().ID("rule").Clauses(ldbuilders.SegmentMatchClause("crowd")).Variation(1)).Build()
	segment := ldbuilders.NewSegmentBuilder("crowd").Version(1).Unbounded(true).Generation(1).Build()
	fillFlags(t, storeURL, &flag, &segment)

	segments, err := all.Registry().OpenBigSegments(t.Context(), storeURL)
	require.NoError(t, err)
	writer := segments.Store.(core.BigSegmentWriter)
	applied, err := writer.ApplyPatch(t.Context(), core.BigSegmentPatch{
		SegmentRef: "crowd.g1", Included: core.BigSegmentChanges{Add: []string{core.BigSegmentContextHash("bob")}},
	})
	require.NoError(t, err)
	require.True(t, applied)
	require.NoError(t, writer.SetLastUpToDate(t.Context(), ldtime.UnixMillisFromTime(time.Now())))
	require.NoError(t, segments.Store.Close())
}

func fillFlags(t *testing.T, storeURL string, flag *ldmodel.FeatureFlag, segment *ldmodel.Segment) {
	t.Helper()
	backend, err := all.Registry().Open(t.Context(), storeURL)
	require.NoError(t, err)
	item := func(key string, item *core.Item) []core.KeyedSerializedItem {
		return []core.KeyedSerializedItem{{Key: key, Item: item.Serialized(core.Flags, key)}}
	}
	require.NoError(t, backend.Store.Init(t.Context(), []core.SerializedCollection{
		{Kind: core.Segments, Items: item(segment.Key, core.NewSegment(segment))},
		{Kind: core.Flags, Items: item(flag.Key, core.NewFlag(flag))},
	}))
	require.NoError(t, backend.Store.Close())
}
