package broadcast_test

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/broadcast"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a listener that keeps what it was called with.
type recorder struct {
	mu     sync.Mutex
	values []int
}

func (r *recorder) listen(value int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = append(r.values, value)
}

func (r *recorder) got() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int(nil), r.values...)
}

// newLogged returns a Broadcaster and a function that returns what it has logged.
func newLogged() (*broadcast.Broadcaster[int], func() string) {
	var mu sync.Mutex
	var buffer bytes.Buffer
	logger := slog.New(slog.NewTextHandler(lockedWriter{&mu, &buffer}, nil))
	return broadcast.New[int](logger), func() string {
		mu.Lock()
		defer mu.Unlock()
		return buffer.String()
	}
}

type lockedWriter struct {
	mu     *sync.Mutex
	buffer *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.Write(p)
}

func sequence(from, to int) []int {
	var s []int
	for i := from; i <= to; i++ {
		s = append(s, i)
	}
	return s
}

func TestBroadcaster_Publish_InOrderToEveryListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r1, r2 recorder
		b.Add(r1.listen)
		b.Add(r2.listen)
		for _, i := range sequence(1, 1000) {
			b.Publish(i)
		}
		synctest.Wait()
		require.Equal(t, sequence(1, 1000), r1.got())
		require.Equal(t, sequence(1, 1000), r2.got())
	})
}

func TestBroadcaster_Publish_ConcurrentPublishersAreSeenInOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r1, r2 recorder
		b.Add(r1.listen)
		b.Add(r2.listen)
		for p := range 8 {
			go func() {
				for i := range 200 {
					b.Publish(p*1000 + i)
				}
			}()
		}
		synctest.Wait()
		require.Len(t, r1.got(), 1600)
		require.Equal(t, r1.got(), r2.got())
	})
}

func TestBroadcaster_Publish_OneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var inside, most atomic.Int32
		b.Add(func(int) {
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(time.Millisecond)
			inside.Add(-1)
		})
		for range 10 {
			go b.Publish(1)
		}
		start := time.Now()
		for inside.Load() > 0 || time.Since(start) < 10*time.Millisecond {
			time.Sleep(time.Millisecond)
		}
		require.EqualValues(t, 1, most.Load())
	})
}

func TestBroadcaster_Publish_SlowListenerDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var fast, slow recorder
		b.Add(func(value int) {
			time.Sleep(time.Hour)
			slow.listen(value)
		})
		b.Add(fast.listen)
		start := time.Now()
		b.Publish(1)
		b.Publish(2)
		require.Zero(t, time.Since(start))
		synctest.Wait()
		require.Equal(t, []int{1, 2}, fast.got())
		require.Empty(t, slow.got())
		time.Sleep(3 * time.Hour)
		require.Equal(t, []int{1, 2}, slow.got())
	})
}

func TestBroadcaster_Publish_PanickingListenerIsLoggedAndCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logged := newLogged()
		var r, other recorder
		b.Add(func(value int) {
			r.listen(value)
			panic("listener broke")
		})
		b.Add(other.listen)
		b.Publish(1)
		b.Publish(2)
		synctest.Wait()
		require.Equal(t, []int{1, 2}, r.got())
		require.Equal(t, []int{1, 2}, other.got())
		require.Equal(t, 2, strings.Count(logged(), "listener broke"))
		require.Contains(t, logged(), "broadcaster_test.go", "the stack tells which listener")
	})
}

func TestBroadcaster_Publish_ListenerThatExitsItsGoroutineIsCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r recorder
		b.Add(func(value int) {
			r.listen(value)
			runtime.Goexit()
		})
		b.Publish(1)
		b.Publish(2)
		synctest.Wait()
		b.Publish(3)
		synctest.Wait()
		require.Equal(t, []int{1, 2, 3}, r.got())
	})
}

func TestBroadcaster_Publish_FullQueueDropsTheOldestAndLogsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, logged := newLogged()
		var r recorder
		release := make(chan struct{})
		b.Add(func(value int) {
			<-release
			r.listen(value)
		})
		b.Publish(0)
		synctest.Wait() // the listener holds 0
		for _, i := range sequence(1, broadcast.MaxPending+10) {
			b.Publish(i)
		}
		require.Equal(t, 1, strings.Count(logged(), "too slow"))
		close(release)
		synctest.Wait()
		require.Equal(t, append([]int{0}, sequence(11, broadcast.MaxPending+10)...), r.got())
	})
}

func TestBroadcaster_Publish_FromInsideAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r recorder
		b.Add(func(value int) {
			r.listen(value)
			if value < 5 {
				b.Publish(value + 1)
			}
		})
		b.Publish(1)
		synctest.Wait()
		require.Equal(t, sequence(1, 5), r.got())
	})
}

func TestBroadcaster_Add_GoroutineOnlyWhileThereIsSomethingToDeliver(t *testing.T) {
	b := broadcast.New[int](nil)
	called := make(chan int)
	b.Add(func(value int) { called <- value })
	require.NoError(t, goleak.Find())
	for i := range 3 {
		b.Publish(i)
		require.Equal(t, i, <-called)
		require.NoError(t, goleak.Find(), "goleak waits a moment for the goroutine to end")
	}
}

func TestBroadcaster_Add_TwiceCallsTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r recorder
		removeFirst := b.Add(r.listen)
		b.Add(r.listen)
		b.Publish(1)
		synctest.Wait()
		require.Equal(t, []int{1, 1}, r.got())
		removeFirst()
		removeFirst()
		b.Publish(2)
		synctest.Wait()
		require.Equal(t, []int{1, 1, 2}, r.got())
	})
}

func TestBroadcaster_Add_NilIsIgnored(t *testing.T) {
	b, logged := newLogged()
	remove := b.Add(nil)
	require.False(t, b.HasListeners())
	b.Publish(1)
	remove()
	require.Empty(t, logged())
}

func TestBroadcaster_Add_SeesOnlyWhatIsPublishedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r, late recorder
		b.Add(func(value int) {
			r.listen(value)
			if value == 1 {
				b.Add(late.listen)
			}
		})
		b.Publish(1)
		synctest.Wait()
		b.Publish(2)
		synctest.Wait()
		require.Equal(t, []int{1, 2}, r.got())
		require.Equal(t, []int{2}, late.got())
	})
}

func TestBroadcaster_Remove_ForgetsWhatWaitsAndDoesNotWaitForTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r recorder
		release := make(chan struct{})
		remove := b.Add(func(value int) {
			r.listen(value)
			<-release
		})
		b.Publish(1)
		b.Publish(2)
		synctest.Wait()
		remove() // would deadlock the bubble if it waited
		close(release)
		synctest.Wait()
		b.Publish(3)
		synctest.Wait()
		require.Equal(t, []int{1}, r.got())
	})
}

func TestBroadcaster_Remove_FromInsideTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r recorder
		var remove func()
		remove = b.Add(func(value int) {
			r.listen(value)
			remove()
		})
		b.Publish(1)
		b.Publish(2)
		synctest.Wait()
		require.Equal(t, []int{1}, r.got())
		require.False(t, b.HasListeners())
	})
}

func TestBroadcaster_Remove_LeavesTheOthersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var first, second, third recorder
		b.Add(first.listen)
		remove := b.Add(second.listen)
		b.Add(third.listen)
		remove()
		b.Publish(1)
		synctest.Wait()
		require.Equal(t, []int{1}, first.got())
		require.Empty(t, second.got())
		require.Equal(t, []int{1}, third.got())
	})
}

func TestBroadcaster_Close_NothingBeginsAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var r recorder
		release := make(chan struct{})
		remove := b.Add(func(value int) {
			r.listen(value)
			<-release
		})
		b.Publish(1)
		b.Publish(2)
		synctest.Wait()
		b.Close()
		b.Close()
		close(release)
		b.Publish(3)
		b.Add(r.listen)
		b.Publish(4)
		remove()
		synctest.Wait()
		require.Equal(t, []int{1}, r.got())
		require.False(t, b.HasListeners())
	})
}

func TestBroadcaster_HasListeners_FollowsAddAndRemove(t *testing.T) {
	b := broadcast.New[int](nil)
	require.False(t, b.HasListeners())
	remove := b.Add(func(int) {})
	require.True(t, b.HasListeners())
	remove()
	require.False(t, b.HasListeners())
}

func TestBroadcaster_Everything_AtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](nil)
		var permanent recorder
		b.Add(permanent.listen)
		for p := range 4 {
			go func() {
				for i := range 100 {
					remove := b.Add(func(int) { b.HasListeners() })
					b.Publish(p*100 + i)
					remove()
				}
			}()
		}
		synctest.Wait()
		b.Close()
		require.Len(t, permanent.got(), 400)
	})
}
