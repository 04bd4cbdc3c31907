package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// startEcho starts a server that reads two numbers, the size of a request and that of the answer, reads the request, and
// answers. It makes a network of what is between a store of this package and its memory.
func startEcho(t *testing.T) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				var sizes [2]uint32
				if binary.Read(conn, binary.BigEndian, &sizes) == nil {
					if _, err := io.CopyN(io.Discard, conn, int64(sizes[0])); err == nil {
						_, _ = conn.Write(make([]byte, sizes[1]))
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// networked is a store in memory of which every call goes over a network first. Its fields are what can be wrong with it.
type networked struct {
	core.FeatureStoreCore
	address string
	closed  atomic.Bool
	calls   atomic.Int64 // in flight

	ignoresContext, untranslated, opensAfterClose, waitsInClose, hidesFailedWrites, returnsParts, breaksForGood bool
	retriesFor                                                                                                  time.Duration
	broken                                                                                                      atomic.Bool
}

// exchange sends a request and receives an answer of these sizes, and returns how much of it arrived.
func (n *networked) exchange(ctx context.Context, request, answer int) (arrived int, err error) {
	n.calls.Add(1)
	defer n.calls.Add(-1)
	if n.closed.Load() && !n.opensAfterClose {
		return 0, core.ErrClosed
	}
	if n.ignoresContext {
		ctx = context.WithoutCancel(ctx)
	}
	begun := time.Now()
	for {
		arrived, err = n.exchangeOnce(ctx, request, answer)
		if err == nil || ctx.Err() != nil || time.Since(begun) >= n.retriesFor {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	n.broken.Store(n.breaksForGood && err != nil)
	switch deadline, limited := ctx.Deadline(); {
	case err == nil:
		return arrived, nil
	case n.untranslated:
		return arrived, err
	case ctx.Err() != nil:
		return arrived, ctx.Err()
	case limited && !time.Now().Before(deadline):
		return arrived, context.DeadlineExceeded
	default:
		return arrived, fmt.Errorf("%w: %w", core.ErrUnavailable, err)
	}
}

func (n *networked) exchangeOnce(ctx context.Context, request, answer int) (arrived int, err error) {
	if n.broken.Load() {
		return 0, errors.New("the connection is broken")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", n.address)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if deadline, limited := ctx.Deadline(); limited {
		_ = conn.SetDeadline(deadline)
	}
	if err := binary.Write(conn, binary.BigEndian, [2]uint32{uint32(request), uint32(answer)}); err != nil {
		return 0, err
	}
	if _, err := conn.Write(make([]byte, request)); err != nil {
		return 0, err
	}
	return io.ReadFull(conn, make([]byte, answer))
}

func (n *networked) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	if _, err := n.exchange(ctx, 100, 100); err != nil {
		return core.SerializedItem{}, false, err
	}
	return n.FeatureStoreCore.Get(ctx, kind, key)
}

func (n *networked) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	all, err := n.FeatureStoreCore.GetAll(ctx, kind)
	if err != nil {
		return nil, err
	}
	size := 100
	for _, item := range all {
		size += len(item.Item.Data)
	}
	arrived, err := n.exchange(ctx, 100, size)
	if n.returnsParts && arrived > 0 {
		return all[:len(all)*arrived/size], nil
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (n *networked) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	if _, err := n.exchange(ctx, len(item.Data), 100); err != nil {
		if n.hidesFailedWrites {
			return core.UpsertResult{Item: item, Written: true}, nil
		}
		return core.UpsertResult{}, err
	}
	return n.FeatureStoreCore.Upsert(ctx, kind, key, item)
}

func (n *networked) Init(ctx context.Context, data []core.SerializedCollection) error {
	size := 100
	for _, collection := range data {
		for _, item := range collection.Items {
			size += len(item.Item.Data)
		}
	}
	if _, err := n.exchange(ctx, size, 100); err != nil {
		return err
	}
	return n.FeatureStoreCore.Init(ctx, data)
}

func (n *networked) Initialized(ctx context.Context) (bool, error) {
	if _, err := n.exchange(ctx, 100, 100); err != nil {
		return false, err
	}
	return n.FeatureStoreCore.Initialized(ctx)
}

func (n *networked) Close() error {
	n.closed.Store(true)
	for n.waitsInClose && n.calls.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// networkedFault is a store that breaks one promise of [RunFaults], and the subtests that find it.
type networkedFault struct {
	name   string
	inject func(*networked)
	must   []string
}

func networkedFaults() []networkedFault {
	return []networkedFault{
		{"ignores its context", func(n *networked) { n.ignoresContext = true }, []string{"Server/NeverAnswers", "Network/AnswersAreLate"}},
		{"returns the network's errors", func(n *networked) { n.untranslated = true }, []string{
			"Server/IsNotThere", "Server/GoesAway", "Network/ConnectionsAreReset", "Network/PartOfAKindIsAnError",
		}},
		{"retries for seconds", func(n *networked) { n.retriesFor = 2 * atOnce }, []string{"Server/IsNotThere", "Server/GoesAway"}},
		{"does not heal", func(n *networked) { n.breaksForGood = true }, []string{
			"Server/GoesAway", "Network/ConnectionsAreReset", "Network/AnswersNeverArrive",
		}},
		{"returns what has arrived", func(n *networked) { n.returnsParts = true }, []string{"Network/PartOfAKindIsAnError"}},
		{"waits in Close", func(n *networked) { n.waitsInClose = true }, []string{"Server/CloseWhileItHangs"}},
		{"works after Close", func(n *networked) { n.opensAfterClose = true }, []string{"Server/CloseWhileItHangs"}},
		{"hides failed writes", func(n *networked) { n.hidesFailedWrites = true }, []string{
			"Server/GoesAway", "Recovery/WritesBackOff", "Recovery/WritesBackTTL",
		}},
	}
}

// runNetworked runs the subtests that are named, or all if none is.
func runNetworked(t *testing.T, inject func(*networked), only ...string) *testrun.Outcomes {
	db := &memorystore.Database{}
	h := FaultsHarness{
		Server: startEcho(t), Timeout: 2 * soon,
		Open: map[string]func(testing.TB, string, string) core.FeatureStoreCore{
			"client": func(_ testing.TB, address, prefix string) core.FeatureStoreCore {
				n := &networked{FeatureStoreCore: memorystore.New(db, &memorystore.Options{Prefix: prefix}), address: address}
				inject(n)
				return n
			},
		},
	}
	s := tinySizes()
	s.wait = soon
	return testrun.Record(t, only, func(t tester) { runFaultTests(t, h, s) })
}

func TestRunFaults_SoundStore_Passes(t *testing.T) {
	runNetworked(t, func(*networked) {}).RequireFailures(t, nil, nil)
}

func TestRunFaults_BrokenStore_Fails(t *testing.T) {
	for _, fault := range networkedFaults() {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			must := make([]string, len(fault.must))
			for i, name := range fault.must {
				must[i] = "client/" + name
			}
			runNetworked(t, fault.inject, must...).RequireFailures(t, must, nil)
		})
	}
}
