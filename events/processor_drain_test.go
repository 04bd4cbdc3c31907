package events_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

// counting is a service without a network that counts the events it accepts. It answers when proceed is closed.
type counting struct {
	t        *testing.T
	proceed  chan struct{}
	begun    atomic.Int32 // requests
	accepted atomic.Int32 // events
}

func (c *counting) answer(request *http.Request) (*http.Response, error) {
	c.begun.Add(1)
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	select {
	case <-c.proceed:
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	if strings.HasSuffix(request.URL.Path, "/bulk") {
		c.accepted.Add(int32(len(post{Body: body}.events(c.t)["identify"])))
	}
	return accepted(request, nil)
}

// newSaturated returns a processor of which as many deliveries wait for an answer as the library begins at once, while
// one more waits to begin and one event is buffered. Altogether these are seven events.
func newSaturated(t *testing.T, options events.Options) (core.EventProcessor, *counting) {
	service := &counting{t: t, proceed: make(chan struct{})}
	options.DisableDiagnostics = true
	processor, err := events.Processor(options)(virtualSettings(service.answer))
	require.NoError(t, err)
	for range 6 {
		processor.Send(identify("u"))
		processor.Flush()
		synctest.Wait()
	}
	require.EqualValues(t, 5, service.begun.Load())
	processor.Send(identify("last"))
	synctest.Wait()
	return processor, service
}

// The library may not have begun to deliver the first diagnostic event, or what was flushed, when it is to deliver the rest.
func TestProcessor_Close_DeliversWhatIsBufferedRightAfterTheStart(t *testing.T) {
	const rounds = 5000
	service := &counting{t: t, proceed: make(chan struct{})}
	close(service.proceed)
	for range rounds {
		processor, err := events.Processor(events.Options{Capacity: 10})(virtualSettings(service.answer))
		require.NoError(t, err)
		processor.Send(identify("one"))
		processor.Flush()
		processor.Send(identify("two"))
		closeWithin(t, processor, patient)
	}
	require.EqualValues(t, 2*rounds, service.accepted.Load())
}

func TestProcessor_Close_DeliversWhatIsBufferedBehindSlowDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, service := newSaturated(t, events.Options{})
		began := time.Now()
		time.AfterFunc(550*time.Millisecond, func() { close(service.proceed) })
		require.NoError(t, processor.Close(t.Context()))
		require.GreaterOrEqual(t, time.Since(began), 550*time.Millisecond)
		require.LessOrEqual(t, time.Since(began), 600*time.Millisecond)
		require.EqualValues(t, 7, service.accepted.Load())
	})
}

func TestProcessor_Close_DropsWhatIsBufferedWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, service := newSaturated(t, events.Options{RetryDelay: 10 * time.Millisecond})
		began := time.Now()
		abandon(t, processor)
		require.LessOrEqual(t, time.Since(began), 25*time.Millisecond)
		require.EqualValues(t, 2*5, service.begun.Load(), "both attempts at what was under way, and none at the rest")
		require.Zero(t, service.accepted.Load())
	})
}

func TestProcessor_Close_TakesNoTimeWhenNothingWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, err := events.Processor(events.Options{})(virtualSettings(func(r *http.Request) (*http.Response, error) {
			return accepted(r, nil)
		}))
		require.NoError(t, err)
		began := time.Now()
		processor.Flush()
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, began, time.Now())
	})
}

func TestProcessor_Close_IsQuickWhenEverythingWasDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &counting{t: t, proceed: make(chan struct{})}
		close(service.proceed)
		processor, err := events.Processor(events.Options{})(virtualSettings(service.answer))
		require.NoError(t, err)
		processor.Send(identify("a"))
		time.Sleep(events.DefaultFlushInterval) // virtual
		synctest.Wait()
		require.EqualValues(t, 1, service.accepted.Load())
		began := time.Now()
		require.NoError(t, processor.Close(t.Context()))
		require.LessOrEqual(t, time.Since(began), 50*time.Millisecond)
	})
}

func TestProcessor_Close_TakesNoLongerThanTheLastDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const latency = 210 * time.Millisecond
		processor, err := events.Processor(events.Options{})(virtualSettings(func(r *http.Request) (*http.Response, error) {
			time.Sleep(latency) // virtual
			return accepted(r, nil)
		}))
		require.NoError(t, err)
		synctest.Wait()
		processor.Send(identify("a"))
		began := time.Now()
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, latency, time.Since(began))
	})
}
