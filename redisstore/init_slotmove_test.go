package redisstore

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/storetest"
)

// slotMove is a slot on its way from one node of a Cluster to another.
type slotMove struct {
	t        *testing.T
	slot     int
	from, to *redis.Client
	others   []*redis.Client
}

// newSlotMove is of a slot from the node that has it to another one.
func newSlotMove(t *testing.T, servers *containers.RedisClusterServers, slot uint16) *slotMove {
	t.Helper()
	source := servers.PrimaryOf(t, servers.Primaries[0], int(slot))
	destination := servers.Primaries[0]
	if destination == source {
		destination = servers.Primaries[1]
	}
	move := &slotMove{t: t, slot: int(slot), from: clientFor(t, source.URL), to: clientFor(t, destination.URL)}
	for _, other := range servers.Primaries {
		if other != source && other != destination {
			move.others = append(move.others, clientFor(t, other.URL))
		}
	}
	return move
}

// must repeats a command that is refused, which may be because the nodes have not told each other of the move before.
func (m *slotMove) must(client *redis.Client, command ...any) (reply any) {
	m.t.Helper()
	var err error
	for begin := time.Now(); time.Since(begin) < soon; {
		if reply, err = client.Do(context.Background(), command...).Result(); err == nil {
			return reply
		}
	}
	require.NoError(m.t, err, "%v", command)
	return nil
}

func (m *slotMove) begin() {
	m.must(m.to, "CLUSTER", "SETSLOT", m.slot, "IMPORTING", m.must(m.from, "CLUSTER", "MYID"))
	m.must(m.from, "CLUSTER", "SETSLOT", m.slot, "MIGRATING", m.must(m.to, "CLUSTER", "MYID"))
}

// keys moves no more than so many keys.
func (m *slotMove) keys(most int) {
	found, _ := m.must(m.from, "CLUSTER", "GETKEYSINSLOT", m.slot, most).([]any)
	host, port, err := net.SplitHostPort(m.to.Options().Addr)
	require.NoError(m.t, err)
	if len(found) > 0 {
		m.must(m.from, append([]any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}, found...)...)
	}
}

// finish moves the rest. The slot can then be moved back.
func (m *slotMove) finish() {
	m.keys(1000)
	id := m.must(m.to, "CLUSTER", "MYID")
	for _, client := range append([]*redis.Client{m.to, m.from}, m.others...) {
		if client == m.from {
			m.keys(1000) // a node that still has some does not give up the slot
		}
		m.must(client, "CLUSTER", "SETSLOT", m.slot, "NODE", id)
	}
	m.from, m.to = m.to, m.from
}

// beforeExchange is a hook that calls functions before the first, the second … exchange that belongs to an Init.
type beforeExchange struct {
	countingHook

	mu    sync.Mutex // guards what follows, and what the functions use
	seen  int
	calls map[int]func()
}

// begin counts from one again.
func (h *beforeExchange) begin(calls map[int]func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen, h.calls = 0, calls
}

func (h *beforeExchange) next() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen++
	if call := h.calls[h.seen]; call != nil {
		call()
	}
}

func (h *beforeExchange) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name == "evalsha" || name == "set" {
			h.next()
		}
		return next(ctx, cmd)
	}
}

func (h *beforeExchange) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "unlink" {
			h.next()
		}
		return next(ctx, cmds)
	}
}

// Whenever a slot begins to move, however many of its keys have moved, and whenever it has arrived: an Init waits for keys
// that are at two nodes and succeeds, or the nodes disagree for too long about who has the slot, and it changes nothing there.
func TestStore_Cluster_Init_SlotMovesMeanwhile_LosesNothing(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	servers := containers.StartRedisCluster(t, false)
	moved := map[uint16]bool{}
	{
		succeeded, failed, undecided := 0, 0, 0
		const last = 9 // one more than the exchanges of an Init
		for begin := 1; begin < last; begin++ {
			for some := begin; some <= last; some += 4 {
				for _, finish := range []int{some, some + 1, last} {
					// Each time it is another slot: nodes disagree for long about one that moves again.
					prefix := taggedPrefix()
					for moved[slotOf(keys{prefix}.items(core.Flags))] {
						prefix = taggedPrefix()
					}
					slot := slotOf(keys{prefix}.items(core.Flags))
					moved[slot] = true
					move := newSlotMove(t, servers, slot)
					store, hook := newStoreOn(t, servers, Options{Prefix: prefix})
					require.NoError(t, store.Init(t.Context(), dataOf("old", 1)))
					moves := 0
					calls := map[int]func(){}
					for n := 1; n <= 3*last; n++ {
						calls[n] = func() {
							if n == begin && moves == 0 {
								move.begin()
								moves = 1
							}
							if n == some && moves == 1 {
								move.keys(1)
							}
							if n >= finish && moves == 1 {
								move.finish()
								moves = 2
							}
						}
					}
					hook.begin(calls)
					err := store.Init(t.Context(), dataOf("new", 2))
					hook.begin(nil)
					if moves == 1 {
						move.finish()
					}
					if !nodesAgree(t, store) {
						undecided++
						continue
					}
					if err == nil {
						succeeded++
						requireStored(t, store, dataOf("new", 2), begin, some, finish)
						continue
					}
					failed++
					require.ErrorIs(t, err, core.ErrUnavailable)
					found := versionsOf(t, store, core.Flags)
					require.Contains(t, []map[string]int{{"common": 1, "flag of old": 1}, {"common": 2, "flag of new": 2}}, found,
						"%d %d %d: %v", begin, some, finish, err)
				}
			}
		}
		t.Logf("%d succeeded, %d failed, %d undecided", succeeded, failed, undecided)
		require.Greater(t, succeeded, 4*failed)
		require.LessOrEqual(t, undecided, 3)
	}
}

// nodesAgree waits until the nodes agree about who has the slots of the store. It reports false if they do not in time: now and
// then two of them send a client to each other for good.
func nodesAgree(t *testing.T, store *Store) bool {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < 2*soon; {
		_, err := store.GetAll(t.Context(), core.Segments)
		if err == nil {
			_, err = store.GetAll(t.Context(), core.Flags)
		}
		if err == nil {
			return true
		}
	}
	return false
}

// newStoreOn makes a store with a hook on a Cluster.
func newStoreOn(t *testing.T, servers *containers.RedisClusterServers, opts Options) (*Store, *beforeExchange) {
	t.Helper()
	addresses := []string{}
	for _, server := range servers.Primaries {
		addresses = append(addresses, server.Address)
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses, ContextTimeoutEnabled: true})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	hook := &beforeExchange{}
	client.AddHook(hook)
	store, err := New(t.Context(), client, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store, hook
}

// A slot that does not arrive in time fails the Init and loses nothing. When it has arrived, the next one succeeds.
func TestStore_Cluster_Init_SlotDoesNotArrive_ChangesNothing(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	servers := containers.StartRedisCluster(t, false)
	prefix := taggedPrefix()
	move := newSlotMove(t, servers, slotOf(keys{prefix}.items(core.Flags)))
	store, _ := newStoreOn(t, servers, Options{Prefix: prefix})
	require.NoError(t, store.Init(t.Context(), dataOf("old", 1)))
	move.begin()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Equal(t, context.DeadlineExceeded, store.Init(ctx, dataOf("new", 2)))
	require.Equal(t, map[string]int{"common": 1, "flag of old": 1}, versionsOf(t, store, core.Flags))
	_, err := store.Upsert(t.Context(), core.Flags, "common", storetest.Item("common", 3))
	require.NoError(t, err)
	move.finish()
	require.Equal(t, map[string]int{"common": 3, "flag of old": 1}, versionsOf(t, store, core.Flags))
	require.NoError(t, store.Init(t.Context(), dataOf("new", 2)))
	requireStored(t, store, dataOf("new", 2))
}
