package synchronizer_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

// membersVariable says how many members large segments have; 1000000 is what a long run is for.
const membersVariable = "CLEAT_TEST_MEMBERS"

func membersOr(short int) int {
	if n, err := strconv.Atoi(os.Getenv(membersVariable)); err == nil && n > 0 {
		return n
	}
	return short
}

// largeService is a flag service with as many members as a test wants, without holding them: polls have them in pages, and
// then the stream has as many again in one event.
type largeService struct {
	members  int
	pages    int
	streamed atomic.Bool
	release  chan struct{} // closed to have the stream send its event
}

func (l *largeService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := bufio.NewWriterSize(w, 1<<16)
	defer func() { _ = out.Flush() }()
	if r.URL.Path == mockbigsegments.StreamPath {
		l.stream(out, w, r)
		return
	}
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	switch {
	case after < l.pages:
		l.write(out, "polled.g1", after, after*l.members/l.pages, (after+1)*l.members/l.pages)
	case after == l.pages && l.streamed.Load():
		l.write(out, "streamed.g1", after, 0, l.members)
	default:
		_, _ = out.WriteString("[]")
	}
}

func (l *largeService) stream(out *bufio.Writer, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).Flush()
	select {
	case <-l.release:
	case <-r.Context().Done():
		return
	}
	_, _ = out.WriteString("event: patch\ndata: ")
	l.write(out, "streamed.g1", l.pages, 0, l.members)
	_, _ = out.WriteString("\n\n")
	_ = out.Flush()
	_ = http.NewResponseController(w).Flush()
	l.streamed.Store(true)
	<-r.Context().Done()
}

// write writes a patch that includes some members.
func (l *largeService) write(out *bufio.Writer, segment string, after, from, to int) {
	previous := ""
	if after > 0 {
		previous = strconv.Itoa(after)
	}
	_, _ = fmt.Fprintf(out, `[{"environmentId":"e","segmentId":%q,"version":"%d","previousVersion":%q,"changes":{"included":{"add":[`,
		segment, after+1, previous)
	for i := from; i < to; i++ {
		if i > from {
			_ = out.WriteByte(',')
		}
		_, _ = out.WriteString(`"` + memberHash(i) + `"`)
	}
	_, _ = out.WriteString(`]}}}]`)
}

func memberHash(i int) string { return core.BigSegmentContextHash("user-" + strconv.Itoa(i)) }

// counted counts the changes that a store has applied.
type counted struct {
	store
	changes, last atomic.Int64 // how many, and when the last one was applied, in Unix nanoseconds
}

func (c *counted) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	applied, err := c.store.ApplyPatch(ctx, patch)
	if applied && patch.Changes() > 0 {
		c.last.Store(time.Now().UnixNano())
		c.changes.Add(int64(patch.Changes()))
	}
	return applied, err
}

func (c *counted) await(t *testing.T, changes int, limit time.Duration) time.Time {
	t.Helper()
	require.Eventually(t, func() bool { return c.changes.Load() >= int64(changes) }, limit, time.Millisecond)
	return time.Unix(0, c.last.Load())
}

// peakHeap returns how much memory the program needed at most until stop is called: what was alive after garbage
// collections.
func peakHeap() (stop func() (bytes uint64)) {
	end, peak := make(chan struct{}), make(chan uint64)
	go func() {
		sample, most := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}, uint64(0)
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				metrics.Read(sample)
				most = max(most, sample[0].Value.Uint64())
			case <-end:
				peak <- most
				return
			}
		}
	}()
	return func() uint64 {
		close(end)
		return <-peak
	}
}

// A large segment gets into every database by polls and by the stream, in memory that is bounded: by some 250 bytes for each
// member of the largest answer or event. Rates are in the test's log.
func TestSynchronizer_Million_EveryStore(t *testing.T) {
	members := membersOr(20_000)
	limit := time.Minute + time.Duration(members)*time.Millisecond
	for name, prepare := range targets() {
		t.Run(name, func(t *testing.T) {
			service := &largeService{members: members, pages: 10, release: make(chan struct{})}
			server := httptest.NewServer(service)
			defer server.Close()
			opened := &counted{store: prepare(t).mustOpen(t)}
			stopHeap := peakHeap()
			settings := core.ClientSettings{
				SDKKey: "key", Endpoints: core.ServiceEndpoints{Streaming: server.URL, Polling: server.URL},
				HTTPClient: server.Client(),
			}
			s, err := synchronizer.New(settings, opened, nil)
			require.NoError(t, err)
			began := time.Now()
			s.Start(t.Context())
			defer stop(s)
			polled := opened.await(t, members, limit).Sub(began)
			require.Eventually(t, func() bool { return s.Status().State == core.DataSourceValid }, limit, time.Millisecond)

			began = time.Now()
			close(service.release)
			streamed := opened.await(t, 2*members, limit).Sub(began)
			require.Eventually(t, func() bool {
				cursor, err := opened.Cursor(t.Context())
				return err == nil && cursor == strconv.Itoa(service.pages+1)
			}, limit, 10*time.Millisecond, "the poll has not confirmed what was streamed")
			require.EqualValues(t, 2*members, opened.changes.Load(), "something was written twice")
			heap := stopHeap()
			for _, i := range []int{0, members / 2, members - 1} {
				requireMember(t, opened, memberHash(i),
					core.NewBigSegmentMembership([]string{"polled.g1", "streamed.g1"}, nil))
			}
			t.Logf("%d members: polled at %.0f a second, streamed at %.0f a second, %d MB of heap at most", members,
				float64(members)/polled.Seconds(), float64(members)/streamed.Seconds(), heap>>20)
			require.Less(t, heap, uint64(64<<20+250*members))
		})
	}
}
