package dynamostore

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

const patient = 15 * time.Second

// startWatch watches a store and waits until the watch has begun.
func startWatch(t testing.TB, store *Store) <-chan core.Change {
	t.Helper()
	const plenty = 10_000
	ctx, cancel := context.WithCancel(context.Background())
	changes, ended := make(chan core.Change, plenty), make(chan error, 1)
	go func() { ended <- store.Watch(ctx, func(c core.Change) { changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		require.Error(t, <-ended)
	})
	require.Equal(t, core.Change{}, nextChange(t, changes))
	return changes
}

func nextChange(t testing.TB, changes <-chan core.Change) core.Change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(patient):
		require.FailNow(t, "no change is reported")
		return core.Change{}
	}
}

// requireChanges expects these changes and no others, in any order.
func requireChanges(t testing.TB, changes <-chan core.Change, want ...core.Change) {
	t.Helper()
	var got []core.Change
	for range want {
		got = append(got, nextChange(t, changes))
	}
	require.ElementsMatch(t, want, got)
	require.Empty(t, changes)
}

func storedMarker(t testing.TB, table string, keys keys) marker {
	t.Helper()
	key := keys.changes()
	return parseMarker(rawItem(t, bareClient(t), table, key.namespace, key.key))
}

// What one store writes, the others are told by name, whatever of it was an upsert, a change set or an Init.
func TestStore_Watch_NamesWhatWasWritten(t *testing.T) {
	table := freshTable(t)
	writer, watched := openStore(t, table, Options{Prefix: "p"}), openStore(t, table, Options{Prefix: "p"})
	require.NoError(t, writer.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 1, 100)}))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{"p"}).sequence == 1 }, patient, time.Millisecond)
	changes := startWatch(t, watched)

	upsert(t, writer, "a", storetest.Item("a", 2))
	requireChanges(t, changes, core.Change{Kind: core.Flags, Key: "a"})
	upsert(t, writer, "a", storetest.Item("a", 1))
	_, err := writer.ApplyChangeSet(t.Context(), []core.KindAndKeyedItem{
		{Kind: core.Flags, Key: "b", Item: storetest.Item("b", 1)}, {Kind: core.Segments, Key: "s", Item: storetest.Item("s", 1)},
		{Kind: core.Flags, Key: "a", Item: storetest.Item("a", 1)},
	})
	require.NoError(t, err)
	requireChanges(t, changes, core.Change{Kind: core.Flags, Key: "b"}, core.Change{Kind: core.Segments, Key: "s"})

	data := storetest.Flags(3, 1, 100)
	data.Items[1].Item.Version = 7
	require.NoError(t, writer.Init(t.Context(), []core.SerializedCollection{data}))
	requireChanges(t, changes, core.Change{Kind: core.Flags, Key: "a"}, core.Change{Kind: core.Flags, Key: "b"},
		core.Change{Kind: core.Segments, Key: "s"}, core.Change{Kind: core.Flags, Key: "flag-00001"})
}

// Another prefix has another marker, and no reader of items, also of LaunchDarkly's namespaces, sees one.
func TestStore_Marker_IsNoItem(t *testing.T) {
	table := freshTable(t)
	store := openStore(t, table, Options{})
	require.NoError(t, store.Init(t.Context(), []core.SerializedCollection{storetest.Flags(2, 1, 100)}))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{}).ID != "" }, patient, time.Millisecond)
	require.Zero(t, storedMarker(t, table, keys{"other"}))
	require.Equal(t, 2, count(t, bareClient(t), table, "features"))
	require.Zero(t, count(t, bareClient(t), table, "segments"))
	id := storedMarker(t, table, keys{}).ID
	require.NoError(t, store.Init(t.Context(), nil))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{}).sequence == 2 }, patient, time.Millisecond)
	require.Equal(t, id, storedMarker(t, table, keys{}).ID, "an Init leaves it alone")
}

// Where items were there before, the first Init makes a marker, and only then. One of nothing new leaves one that is there.
func TestStore_Marker_AtTheStart(t *testing.T) {
	table := freshTable(t)
	client, rec := recordingClient(t, nil)
	for _, kind := range core.BuiltInKinds() {
		putRaw(t, client, table, string(kind), "a", attributes{versionAttribute: number("1"), itemAttribute: text(`{"version":1}`)})
	}
	putRaw(t, client, table, initedName, initedName, nil)
	data := []core.SerializedCollection{}
	for _, kind := range core.BuiltInKinds() {
		data = append(data, core.SerializedCollection{Kind: kind, Items: []core.KeyedSerializedItem{
			{Key: "a", Item: core.SerializedItem{Version: 1, Data: []byte(`{"version":1}`)}},
		}})
	}
	for range 2 {
		rec.markers.Store(0)
		store, err := New(t.Context(), client, table, nil)
		require.NoError(t, err)
		require.NoError(t, store.Init(t.Context(), data))
		require.NoError(t, store.Close())
		require.Equal(t, 1, storedMarker(t, table, keys{}).sequence)
		require.Positive(t, rec.markers.Load())
		require.LessOrEqual(t, rec.markers.Load(), int64(2), "Close ends a request that is under way and makes it again")
	}
	store, err := New(t.Context(), client, table, nil)
	require.NoError(t, err)
	rec.markers.Store(0)
	require.False(t, upsert(t, store, "a", core.SerializedItem{Version: 1, Data: []byte(`{"version":1}`)}).Written)
	_, err = store.GetAll(t.Context(), core.Flags)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	require.Zero(t, rec.markers.Load(), "a store that writes nothing")
}

// A hundred upserts in a row cost two markers, of which Close writes the second.
func TestStore_Marker_IsCoalesced(t *testing.T) {
	table := freshTable(t)
	client, rec := recordingClient(t, nil)
	store, err := New(t.Context(), client, table, nil)
	require.NoError(t, err)
	begin := time.Now()
	for i := range 100 {
		upsert(t, store, fmt.Sprint("flag-", i), storetest.Item("a", 1))
	}
	require.NoError(t, store.Close())
	most := 2 + int64(time.Since(begin)/markInterval)
	require.LessOrEqual(t, rec.markers.Load(), most)
	m := storedMarker(t, table, keys{})
	changes, _ := m.after(marker{ID: m.ID})
	require.Len(t, changes, 100)
	require.Zero(t, m.Since)
}

// Several writers name everything that each of them has written.
func TestStore_Marker_SeveralWriters(t *testing.T) {
	table := freshTable(t)
	watched := openStore(t, table, Options{})
	first := openStore(t, table, Options{})
	upsert(t, first, "first", storetest.Item("first", 1))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{}).sequence == 1 }, patient, time.Millisecond)
	changes := startWatch(t, watched)
	const writers = 5
	for i := range writers {
		store := openStore(t, table, Options{})
		go func() {
			for j := range 3 {
				_, _ = store.Upsert(context.Background(), core.Flags, fmt.Sprintf("w-%d-%d", i, j), storetest.Item("w", 1))
			}
		}()
	}
	seen := map[core.Change]bool{}
	for len(seen) < 3*writers {
		c := nextChange(t, changes)
		require.NotEmpty(t, c.Key)
		seen[c] = true
	}
}

// A marker that cannot be written neither delays an upsert nor makes it fail, is reported once, and is written later.
func TestStore_Marker_Refused_IsWrittenLater(t *testing.T) {
	var log lockedBuilder
	table := freshTable(t)
	client, rec := recordingClient(t, nil)
	refuse := throttled
	rec.refuseMarker.Store(&refuse)
	store := newStore(t, client, table, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	upsert(t, store, "a", storetest.Item("a", 1))
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "change marker") }, patient, time.Millisecond)
	upsert(t, store, "b", storetest.Item("b", 1))
	require.Equal(t, []string{"Query", "PutItem", "PutItem"}, rec.take())
	rec.refuseMarker.Store(nil)
	require.Eventually(t, func() bool {
		m := storedMarker(t, table, keys{})
		changes, _ := m.after(marker{ID: m.ID})
		return len(changes) == 2
	}, patient, time.Millisecond)
	require.Equal(t, 1, strings.Count(log.String(), "level=WARN"))
}

// Close waits for a server that is silent for a second only.
func TestStore_Close_MarkerPending_EndsSoon(t *testing.T) {
	p, table := startProxy(t), freshTable(t)
	store, err := New(t.Context(), clientFor(t, "http://"+p.Address(), nil), table, nil)
	require.NoError(t, err)
	upsert(t, store, "a", storetest.Item("a", 1))
	p.Infect(storetest.Hang)
	_, err = store.Upsert(within(t, 100*time.Millisecond), core.Flags, "b", storetest.Item("b", 1))
	require.Equal(t, context.DeadlineExceeded, err)
	begin := time.Now()
	require.NoError(t, store.Close())
	require.Less(t, time.Since(begin), lastMarkTime+soon)
}

// An outage hides nothing: what was written meanwhile is named when the marker can be read again. It is reported once.
func TestStore_Watch_Outage_MissesNothing(t *testing.T) {
	var log lockedBuilder
	p, table := startProxy(t), freshTable(t)
	writer := openStore(t, table, Options{})
	upsert(t, writer, "a", storetest.Item("a", 1))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{}).sequence == 1 }, patient, time.Millisecond)
	changes := startWatch(t, newStore(t, clientFor(t, "http://"+p.Address(), nil), table,
		Options{WatchInterval: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	p.Stop()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "cannot be seen") }, patient, time.Millisecond)
	upsert(t, writer, "b", storetest.Item("b", 1))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{}).sequence == 2 }, patient, time.Millisecond)
	p.Start()
	requireChanges(t, changes, core.Change{Kind: core.Flags, Key: "b"})
	require.Equal(t, 1, strings.Count(log.String(), "cannot be seen"))
	require.Equal(t, 1, strings.Count(log.String(), "never if they are kept forever"))
}

// A table that comes into being later, and one that is made again, are followed.
func TestStore_Watch_TableMadeAgain_ReportsEverything(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	changes := startWatch(t, openStore(t, table, Options{WatchInterval: 20 * time.Millisecond}))
	first := openStore(t, table, Options{})
	upsert(t, first, "a", storetest.Item("a", 1))
	requireChanges(t, changes, core.Change{})
	require.NoError(t, first.Close())
	recreate(t, client, table)
	requireChanges(t, changes, core.Change{})
	upsert(t, openStore(t, table, Options{}), "b", storetest.Item("b", 1))
	requireChanges(t, changes, core.Change{})
}

func TestStore_Watch_Refused(t *testing.T) {
	store := openStore(t, foreignTable(t, bareClient(t), "id"), Options{})
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrIncompatible)
	require.ErrorIs(t, store.Watch(t.Context(), nil), core.ErrInvalid)
	require.ErrorIs(t, store.Watch(nil, func(core.Change) {}), core.ErrInvalid)
	require.NoError(t, store.Close())
	require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrClosed)
}

// Whatever the options say, the marker is read eventually consistently, and nothing else is.
func TestStore_Watch_IsCheap(t *testing.T) {
	var bodies lockedBuilder
	table := freshTable(t)
	client := clientFor(t, containers.DynamoDB(t), func(next http.RoundTripper) http.RoundTripper {
		return &spy{next, &bodies}
	})
	store := newStore(t, client, table, Options{WatchInterval: 10 * time.Millisecond})
	require.NoError(t, store.CheckAvailability(t.Context()))
	startWatch(t, store)
	require.Eventually(t, func() bool { return strings.Count(bodies.String(), changesName) > 10 }, patient, time.Millisecond)
	for line := range strings.Lines(bodies.String()) {
		if strings.Contains(line, changesName) {
			require.Contains(t, line, `"ConsistentRead":false`)
		}
	}
}

// A change is seen within two seconds by every one of many processes, also while changes come all the time. (A third one is for
// a busy machine; what was measured is logged.)
func TestStore_Watch_IsSeenWithinTwoSeconds(t *testing.T) {
	const watchers, writes = 20, 25
	table := freshTable(t)
	writer := openStore(t, table, Options{})
	upsert(t, writer, "first", storetest.Item("first", 1))
	require.Eventually(t, func() bool { return storedMarker(t, table, keys{}).sequence == 1 }, patient, time.Millisecond)
	type sight struct {
		key string
		at  time.Time
	}
	sights := make(chan sight, watchers*writes)
	for range watchers {
		changes := startWatch(t, openStore(t, table, Options{}))
		go func() {
			for range writes {
				c := <-changes
				sights <- sight{c.Key, time.Now()}
			}
		}()
	}
	written := map[string]time.Time{}
	pauses := time.NewTicker(230 * time.Millisecond)
	defer pauses.Stop()
	for i := range writes {
		key := fmt.Sprint("flag-", i)
		upsert(t, writer, key, storetest.Item(key, 1))
		written[key] = time.Now()
		<-pauses.C
	}
	var delays []time.Duration
	for range watchers * writes {
		s := <-sights
		require.Contains(t, written, s.key)
		delays = append(delays, s.at.Sub(written[s.key]))
	}
	slices.Sort(delays)
	t.Logf("p50 %v, p99 %v, longest %v", delays[len(delays)/2], delays[len(delays)*99/100], delays[len(delays)-1])
	require.LessOrEqual(t, delays[len(delays)*99/100], 3*time.Second)
}

func flagChange(key string) core.Change { return core.Change{Kind: core.Flags, Key: key} }

// nextMarker is the marker that follows one, as it comes out of the table.
func nextMarker(t *testing.T, m marker, room int, changes ...core.Change) marker {
	t.Helper()
	pending := map[core.Change]struct{}{}
	for _, c := range changes {
		pending[c] = struct{}{}
	}
	item, err := m.next(pending, room)
	require.NoError(t, err)
	return parseMarker(marshalItem(keys{}.changes(), item))
}

// Named is what came after the last look, and everything if the marker does not say what that was.
func TestMarker_After(t *testing.T) {
	var none marker
	first := nextMarker(t, none, maxMarkerSize, flagChange("a"))
	second := nextMarker(t, first, maxMarkerSize, flagChange("b"), flagChange("c"))
	third := nextMarker(t, second, maxMarkerSize, flagChange("b"))
	all := nextMarker(t, third, maxMarkerSize, flagChange("d"), core.Change{})
	last := nextMarker(t, all, maxMarkerSize, flagChange("e"))
	other := nextMarker(t, nextMarker(t, none, maxMarkerSize), maxMarkerSize, flagChange("x"))
	everything := []core.Change{{}}
	for name, test := range map[string]struct {
		seen, now marker
		want      []core.Change
		latest    marker
	}{
		"none yet":          {none, none, nil, none},
		"appears":           {none, first, everything, first},
		"the same":          {second, second, nil, second},
		"next":              {first, second, []core.Change{flagChange("b"), flagChange("c")}, second},
		"several":           {first, third, []core.Change{flagChange("b"), flagChange("c")}, third},
		"older than seen":   {third, first, nil, third},
		"everything":        {third, all, everything, all},
		"after everything":  {all, last, []core.Change{flagChange("e")}, last},
		"before everything": {third, last, everything, last},
		"another history":   {first, other, everything, other},
		"gone":              {first, none, everything, none},
	} {
		changes, latest := test.now.after(test.seen)
		require.ElementsMatch(t, test.want, changes, name)
		require.Equal(t, test.latest, latest, name)
	}
}

// A marker stays small; what it has no room for is a gap.
func TestMarker_Next_KeepsToItsSize(t *testing.T) {
	var m marker
	var seen []marker
	for i := range 300 {
		m = nextMarker(t, m, 1000, flagChange(fmt.Sprint("a-flag-with-a-long-key-", i)))
		data, err := json.Marshal(m)
		require.NoError(t, err)
		require.LessOrEqual(t, len(data), 1000)
		seen = append(seen, m)
	}
	for i, earlier := range seen {
		changes, _ := m.after(earlier)
		if i+1 >= m.Since {
			require.Len(t, changes, len(seen)-i-1)
		} else {
			require.Equal(t, []core.Change{{}}, changes)
		}
	}
	require.Greater(t, m.Since, 200)
	require.Less(t, m.Since, 299)
	gap := nextMarker(t, m, 1000, flagChange(strings.Repeat("k", 1024)))
	changes, _ := gap.after(m)
	require.Equal(t, []core.Change{{}}, changes)
}

// A marker that is damaged is written again and is another history.
func TestStore_Marker_Damaged_IsWrittenAgain(t *testing.T) {
	table, client := freshTable(t), bareClient(t)
	for _, damaged := range []attributes{
		{}, {versionAttribute: number("7")}, {itemAttribute: text("{")}, {versionAttribute: text("x"), itemAttribute: number("1")},
	} {
		putRaw(t, client, table, changesName, changesName, damaged)
		store, err := New(t.Context(), client, table, nil)
		require.NoError(t, err)
		upsert(t, store, "a", storetest.Item("a", int(time.Now().UnixNano())))
		require.NoError(t, store.Close())
		m := storedMarker(t, table, keys{})
		require.NotEmpty(t, m.ID)
		require.Equal(t, 1, m.sequence)
	}
}

// spy notes the bodies of requests.
type spy struct {
	next   http.RoundTripper
	bodies *lockedBuilder
}

// RoundTrip implements http.RoundTripper.
func (s *spy) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := request.GetBody()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	_, _ = s.bodies.Write(append(text, '\n'))
	return s.next.RoundTrip(request)
}
