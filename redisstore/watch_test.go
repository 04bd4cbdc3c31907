package redisstore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// watched is a watch that is under way.
type watched struct {
	t       *testing.T
	changes chan core.Change
	ended   chan error
	cancel  context.CancelFunc
}

// startWatch watches until the test ends at the latest.
func startWatch(t *testing.T, store core.Watcher) *watched {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watched{t: t, changes: make(chan core.Change, 10_000), ended: make(chan error, 1), cancel: cancel}
	go func() { w.ended <- store.Watch(ctx, func(c core.Change) { w.changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		err := <-w.ended
		w.ended <- err
	})
	return w
}

// watch watches and waits until the watch has begun.
func watchStore(t *testing.T, store core.Watcher) *watched {
	t.Helper()
	w := startWatch(t, store)
	w.want(core.Change{})
	w.quiet()
	return w
}

// next is the next change that is reported.
func (w *watched) next() core.Change {
	w.t.Helper()
	select {
	case c := <-w.changes:
		return c
	case err := <-w.ended:
		w.ended <- err
		require.FailNow(w.t, "the watch ended", "%v", err)
	case <-time.After(5 * soon):
		require.FailNow(w.t, "no change was reported")
	}
	return core.Change{}
}

func (w *watched) want(change core.Change) {
	w.t.Helper()
	require.Equal(w.t, change, w.next())
}

// wantEventually waits for a change and ignores others.
func (w *watched) wantEventually(change core.Change) {
	w.t.Helper()
	for w.next() != change {
	}
}

// quiet asserts that nothing more is reported for a moment.
func (w *watched) quiet() {
	w.t.Helper()
	const moment = 10 * gatherTime
	select {
	case c := <-w.changes:
		require.FailNow(w.t, "a change too many", "%+v", c)
	case <-time.After(moment):
	}
}

func upsert(t testing.TB, store core.FeatureStoreCore, kind core.DataKind, key string, version int) {
	t.Helper()
	result, err := store.Upsert(t.Context(), kind, key, storetest.Item(key, version))
	require.NoError(t, err)
	require.True(t, result.Written)
}

// What cleat writes is told by its key, and by nothing else for now.
func TestStore_Watch_TellsItemsThatCleatWrites(t *testing.T) {
	prefix := storetest.Prefix()
	store, other := openStore(t, Options{Prefix: prefix}), openStore(t, Options{Prefix: prefix})
	neighbour := openStore(t, Options{Prefix: prefix + "2"})
	w := watchStore(t, store)
	upsert(t, other, core.Flags, "a", 1)
	w.want(flagChange("a"))
	upsert(t, store, core.Flags, "b:é\x00", 1)
	w.want(flagChange("b:é\x00"))
	upsert(t, other, core.Segments, "s", 1)
	w.want(core.Change{Kind: core.Segments, Key: "s"})
	upsert(t, other, "other.kind", "x", 1)
	w.want(core.Change{Kind: "other.kind", Key: "x"})
	upsert(t, neighbour, core.Flags, "a", 1)
	_, err := other.Upsert(t.Context(), core.Flags, "a", storetest.Item("a", 1)) // not newer
	require.NoError(t, err)
	w.quiet()

	require.NoError(t, other.Init(t.Context(), []core.SerializedCollection{storetest.Flags(3, 2, 50)}))
	w.want(core.Change{})
	var many []core.KindAndKeyedItem
	for i := range 101 {
		key := fmt.Sprint("many-", i)
		many = append(many, core.KindAndKeyedItem{Kind: core.Flags, Key: key, Item: storetest.Item(key, 1)})
	}
	_, err = other.ApplyChangeSet(t.Context(), many)
	require.NoError(t, err)
	w.want(flagChange(""))
	_, err = other.ApplyChangeSet(t.Context(), many[:0:0])
	require.NoError(t, err)
	w.quiet()
}

// foreignWrites are what others do that know nothing of cleat, and what is to be told of it.
func foreignWrites(ctx context.Context, client *redis.Client, prefix string) []struct {
	what string
	do   func() error
	want core.Change
} {
	return []struct {
		what string
		do   func() error
		want core.Change
	}{
		{"HSET", func() error { return client.HSet(ctx, prefix+":features", "f", `{"version":1}`).Err() }, flagChange("")},
		{"HDEL", func() error { return client.HDel(ctx, prefix+":features", "f").Err() }, flagChange("")},
		{"HSET of a segment", func() error {
			return client.HSet(ctx, prefix+":segments", "s", `{"version":1}`).Err()
		}, core.Change{Kind: core.Segments}},
		{"expiry", func() error {
			return client.PExpire(ctx, prefix+":segments", 30*time.Millisecond).Err()
		}, core.Change{Kind: core.Segments}},
		{"HSET of another kind", func() error {
			return client.HSet(ctx, prefix+":other", "x", `{"version":1}`).Err()
		}, core.Change{Kind: "other"}},
		{"DEL", func() error { return client.Del(ctx, prefix+":other").Err() }, core.Change{Kind: "other"}},
		{"init", func() error { return client.Set(ctx, prefix+":$inited", "", 0).Err() }, core.Change{}},
		{"DEL of the mark", func() error { return client.Del(ctx, prefix+":$inited").Err() }, core.Change{}},
	}
}

// What others write is told by its kind, if the store was ever asked about that kind.
func TestStore_Watch_TellsKindsThatOthersWrite(t *testing.T) {
	ctx, client, prefix := t.Context(), bareClient(t), storetest.Prefix()
	store := openStore(t, Options{Prefix: prefix})
	w := watchStore(t, store)
	_, _, err := store.Get(ctx, "other", "x")
	require.NoError(t, err)
	w.want(core.Change{}) // watched again
	for _, write := range foreignWrites(ctx, client, prefix) {
		require.NoError(t, write.do(), write.what)
		w.wantEventually(write.want)
	}
	w.drain()
	require.NoError(t, client.HSet(ctx, prefix+":features2", "f", "x").Err())
	require.NoError(t, client.SAdd(ctx, prefix+":big_segment_include:h", "x").Err())
	w.quiet()
	require.NoError(t, client.FlushAll(ctx).Err())
	w.want(core.Change{})
}

// drain leaves out what is still on its way.
func (w *watched) drain() {
	for {
		select {
		case <-w.changes:
		case <-time.After(10 * gatherTime):
			return
		}
	}
}

// A server that has no room for a kind tells that it is gone.
func TestStore_Watch_Eviction_IsTold(t *testing.T) {
	ctx, server := t.Context(), containers.StartRedis(t, "--maxmemory-policy", "allkeys-lru")
	client := clientFor(t, server.URL)
	store, err := New(ctx, client, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	require.NoError(t, store.Init(ctx, []core.SerializedCollection{storetest.Flags(1, 1, 50)}))
	w := watchStore(t, store)
	require.NoError(t, client.ConfigSet(ctx, "maxmemory", "1").Err())
	require.Error(t, client.Set(ctx, "x", "y", 0).Err())
	require.Zero(t, client.Exists(ctx, "launchdarkly:features").Val())
	w.wantEventually(core.Change{})
}

// Several watches, of one store and of several, are told the same.
func TestStore_Watch_SeveralAtOnce(t *testing.T) {
	prefix := storetest.Prefix()
	store, other := openStore(t, Options{Prefix: prefix}), openStore(t, Options{Prefix: prefix})
	watches := []*watched{watchStore(t, store), watchStore(t, store), watchStore(t, other)}
	upsert(t, other, core.Flags, "a", 1)
	for _, w := range watches {
		w.want(flagChange("a"))
	}
	watches[0].cancel()
	require.Equal(t, context.Canceled, <-watches[0].ended)
	watches[0].ended <- nil
	upsert(t, store, core.Flags, "a", 2)
	watches[1].want(flagChange("a"))
	watches[2].want(flagChange("a"))
	require.Empty(t, watches[0].changes)
}

// What cannot be watched is refused, and a watch ends with its context and its store, also while it waits for a server.
func TestStore_Watch_EndsAtOnce(t *testing.T) {
	store := openStore(t, Options{})
	require.ErrorIs(t, store.Watch(nil, func(core.Change) {}), core.ErrInvalid)
	require.ErrorIs(t, store.Watch(t.Context(), nil), core.ErrInvalid)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, store.Watch(ended, func(core.Change) {}))

	mute := storetest.Mute(t)
	for name, open := range clients() {
		store := open(t, mute, Options{})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		require.Equal(t, context.DeadlineExceeded, store.Watch(ctx, func(core.Change) {}), name)
		cancel()
		w := startWatch(t, store)
		require.NoError(t, store.Close())
		require.ErrorIs(t, <-w.ended, core.ErrClosed, name)
		w.ended <- nil
		require.Less(t, time.Since(begin), soon, name)
		require.ErrorIs(t, store.Watch(t.Context(), func(core.Change) {}), core.ErrClosed, name)
	}
}

// warnings receives what is logged.
type warnings chan string

func (w warnings) Write(line []byte) (int, error) {
	select {
	case w <- string(line):
	default:
	}
	return len(line), nil
}

func (w warnings) await(t *testing.T, text string) {
	t.Helper()
	for {
		select {
		case line := <-w:
			if strings.Contains(line, text) {
				return
			}
		case <-time.After(5 * soon):
			require.FailNow(t, "nothing was logged", "%s", text)
		}
	}
}

// A server that is lost, silently or not, is found again, and whatever may have been missed is read again.
func TestStore_Watch_ConnectionLost_IsRestored(t *testing.T) {
	t.Parallel()
	for name, toxic := range map[string]string{
		"hang": storetest.Hang, "hang of requests": storetest.HangUpstream, "reset": storetest.Reset, "cut": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, prefix := storetest.StartProxy(t, serverAddress(t)), storetest.Prefix()
			other := openStore(t, Options{Prefix: prefix})
			warnings := make(warnings, 100)
			opts := Options{Prefix: prefix, Logger: slog.New(slog.NewTextHandler(warnings, nil))}
			watches := map[string]*watched{}
			for owner, open := range clients() {
				store := open(t, p.Address(), opts)
				t.Cleanup(func() { require.NoError(t, store.Close()) })
				watches[owner] = watchStore(t, store)
			}
			if toxic == "" {
				p.Stop()
			} else {
				p.Infect(toxic)
			}
			upsert(t, other, core.Flags, "a", 1)
			for range watches {
				warnings.await(t, "cannot be seen until")
			}
			if toxic == "" {
				p.Start()
			} else {
				p.Heal()
			}
			for owner, w := range watches {
				w.wantEventually(core.Change{})
				upsert(t, other, core.Flags, owner, 1)
				w.wantEventually(flagChange(owner))
			}
		})
	}
}
