package synchronizer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
	"github.com/cleatdev/cleat/memorystore"
)

// hazards is what goes wrong, or is otherwise than usual, while a store is filled.
type hazards struct {
	form      mockbigsegments.Form
	pageSize  int
	eventSize int
	writers   int
	foreign   bool          // one more writer goes by Relay Proxy's rules
	delay     time.Duration // before each call of the store, at most
	cuts      float64       // how often a revision is followed by a cut of all streams
	lost      float64       // how often streams are not told of a revision
}

func (z hazards) String() string {
	return fmt.Sprintf("form %d, pages of %d, events of %d, %d writers, foreign %t",
		z.form, z.pageSize, z.eventSize, z.writers, z.foreign)
}

// randomHazards leaves out what the service or other writers have to keep to.
func randomHazards(random *rand.Rand, delay time.Duration) hazards {
	z := hazards{
		form: mockbigsegments.Form(random.IntN(3)), pageSize: 1 + random.IntN(4), eventSize: 1 + random.IntN(4),
		writers: 2 + random.IntN(2), foreign: random.IntN(3) == 0, delay: delay, cuts: 0.05, lost: 0.05,
	}
	if z.foreign {
		z.form = mockbigsegments.Held // Relay Proxy does not apply all of the others
	}
	return z
}

// contradicts reports whether the patches of one revision may contradict each other.
func (z hazards) contradicts() bool { return z.eventSize == 4 && !z.foreign }

// slow has a store's calls begin late.
func slow(random *rand.Rand, most time.Duration) func(context.Context, string) error {
	var mu sync.Mutex
	return func(ctx context.Context, _ string) error {
		mu.Lock()
		delay := time.Duration(0)
		if random.IntN(3) > 0 {
			delay = rand.N(most) //nolint:gosec // it need not be the same again on real databases
		}
		mu.Unlock()
		select {
		case <-time.After(delay):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publish makes a revision of the history, and now and then something goes wrong with the streams.
func (z hazards) publish(random *rand.Rand, service *mockbigsegments.Service, h *history) (version string) {
	changes := h.revision(z.contradicts())
	if random.Float64() < z.lost {
		version = service.PublishUnseen(changes...)
	} else {
		version = service.Publish(changes...)
	}
	if random.Float64() < z.cuts {
		service.Disconnect()
	}
	return version
}

// foreignWriter fills a store as Relay Proxy does: it applies a patch if, and only if, the cursor is the patch's previous
// version, and moves the cursor to its version. It polls only.
type foreignWriter struct {
	client  *http.Client
	polling string
	writer  core.BigSegmentWriter
}

func (f *foreignWriter) run(ctx context.Context) {
	for ctx.Err() == nil {
		f.catchUp(ctx)
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (f *foreignWriter) catchUp(ctx context.Context) {
	cursor, err := f.writer.Cursor(ctx)
	if err != nil {
		return
	}
	address := f.polling + mockbigsegments.PollPath
	if cursor != "" {
		address += "?after=" + url.QueryEscape(cursor)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return
	}
	request.Header.Set("Authorization", mockbigsegments.SDKKey)
	response, err := f.client.Do(request)
	if err != nil {
		return
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	var patches []mockbigsegments.Patch
	if err != nil || json.Unmarshal(text, &patches) != nil {
		return
	}
	for _, p := range patches {
		applied, err := f.writer.ApplyPatch(ctx, core.BigSegmentPatch{
			SegmentRef: p.SegmentID, PreviousVersion: p.PreviousVersion, Version: p.Version,
			Included: core.BigSegmentChanges(p.Changes.Included), Excluded: core.BigSegmentChanges(p.Changes.Excluded),
		})
		if err != nil || !applied {
			return
		}
	}
}

// Two or three synchronisers and a foreign writer fill one store, with delays in the middle of what they do, while streams
// break and events get lost. In the end the store is what the service says.
func TestSynchronizer_Model_Memory(t *testing.T) {
	seeds := revisionsOr(60)
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			z := randomHazards(random, 40*time.Millisecond)
			h := newHistory(t, seed)
			r := newRig(t)
			r.service.SetForm(z.form)
			r.service.SetPageSize(z.pageSize)
			r.service.SetEventSize(z.eventSize)
			for range random.IntN(10) {
				r.service.Publish(h.revision(z.contradicts())...)
			}
			for i := range z.writers {
				store := &observed{store: memorystore.NewBigSegments(r.db, nil)}
				store.trouble(slow(rand.New(rand.NewPCG(seed, uint64(i+2))), z.delay))
				s := r.make(store, synchronizer.Options{
					MinRetryDelay: 10 * time.Millisecond, MaxRetryDelay: 10 * time.Millisecond, RefreshInterval: 500 * time.Millisecond,
				})
				s.Start(t.Context())
				t.Cleanup(func() {
					stop(s)
					require.NoError(t, store.Close())
				})
			}
			if z.foreign {
				store := &observed{store: memorystore.NewBigSegments(r.db, nil)}
				store.trouble(slow(rand.New(rand.NewPCG(seed, 99)), z.delay))
				ctx, cancel := context.WithCancel(t.Context())
				var done sync.WaitGroup
				foreign := &foreignWriter{r.service.Client(), mockbigsegments.PollingURL, store}
				done.Go(func() { foreign.run(ctx) })
				t.Cleanup(func() {
					cancel()
					done.Wait()
					require.NoError(t, store.Close())
				})
			}
			last := ""
			for range 60 {
				time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
				last = z.publish(random, r.service, h)
			}
			time.Sleep(10 * time.Second)
			cursor, err := r.store.store.Cursor(t.Context())
			require.NoError(t, err)
			require.Equal(t, last, cursor, "%v", z)
			require.Zero(t, h.differences(t, r.store), "%v", z)
		})
	}
}
