package events_test

import (
	"context"
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

// answering is a service without a network that answers with a status of its own for each sort of events.
type answering struct {
	events, diagnostics atomic.Int32 // statuses
	posts               atomic.Int32 // requests with events
}

func (a *answering) answer(request *http.Request) (*http.Response, error) {
	status := &a.diagnostics
	if strings.HasSuffix(request.URL.Path, "/bulk") {
		a.posts.Add(1)
		status = &a.events
	}
	_, err := io.Copy(io.Discard, request.Body)
	return &http.Response{StatusCode: int(status.Load()), Body: http.NoBody, Request: request}, err
}

func newAnswering(t *testing.T, forEvents, forDiagnostics int32, options events.Options) (*answering, core.EventProcessor, *log) {
	service, output := &answering{}, &log{}
	service.events.Store(forEvents)
	service.diagnostics.Store(forDiagnostics)
	settings := virtualSettings(service.answer)
	settings.Logger = output.logger()
	processor, err := events.Processor(options)(settings)
	require.NoError(t, err)
	t.Cleanup(func() { closeWithin(t, processor, patient) })
	time.Sleep(2 * time.Second) // virtual: what happens at multiples of the interval, and a second later, is then past
	return service, processor, output
}

func warnings(output *log) int {
	return countLines(output, "level=WARN") + countLines(output, "level=ERROR")
}

// 404 is what a proxy answers while its server is being replaced.
func TestProcessor_Flush_RefusalPausesDeliveryForAGrowingTime(t *testing.T) {
	for _, status := range []int32{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusProxyAuthRequired} {
		synctest.Test(t, func(t *testing.T) {
			service, processor, output := newAnswering(t, status, http.StatusAccepted, events.Options{})
			began := time.Now()
			var attempts []time.Duration
			for time.Since(began) < 2*time.Hour {
				before := service.posts.Load()
				processor.Send(identify("u"))
				time.Sleep(events.DefaultFlushInterval) // virtual
				if service.posts.Load() > before {
					attempts = append(attempts, time.Since(began))
				}
			}
			require.Greater(t, len(attempts), 8, attempts)
			require.Equal(t, 30*time.Second+events.DefaultFlushInterval, attempts[1]-attempts[0])
			for i := 2; i < len(attempts); i++ {
				pause := attempts[i] - attempts[i-1]
				require.GreaterOrEqual(t, pause, attempts[i-1]-attempts[i-2], "pauses grow")
				require.LessOrEqual(t, pause, 15*time.Minute+events.DefaultFlushInterval, "and are bounded")
			}
			require.Equal(t, 1, warnings(output), output)

			service.events.Store(http.StatusAccepted)
			time.Sleep(15 * time.Minute) // virtual
			processor.Send(identify("u"))
			require.NoError(t, processor.(events.Flusher).FlushAndWait(t.Context()))
			require.Equal(t, 1, countLines(output, "events are delivered again"), output)
			service.events.Store(status)
			processor.Send(identify("u"))
			require.ErrorContains(t, processor.(events.Flusher).FlushAndWait(t.Context()), http.StatusText(int(status)))
			require.Equal(t, 2, warnings(output), "another outage has a line of its own")
			require.NoError(t, processor.Close(t.Context()))
		})
	}
}

func TestProcessor_Flush_RefusalNamesWhatToCheck(t *testing.T) {
	for status, advice := range map[int32]string{
		http.StatusUnauthorized: "SDK key",
		http.StatusNotFound:     "events URI",
	} {
		synctest.Test(t, func(t *testing.T) {
			_, processor, output := newAnswering(t, status, http.StatusAccepted, events.Options{})
			processor.Send(identify("u"))
			require.NoError(t, processor.Close(t.Context()))
			require.Contains(t, output.String(), advice)
			require.Contains(t, output.String(), "retry_in=30s")
			require.NotContains(t, output.String(), sdkKey)
		})
	}
}

func TestProcessor_Flush_OutageIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, processor, output := newAnswering(t, http.StatusServiceUnavailable, http.StatusAccepted, events.Options{})
		for range 20 {
			processor.Send(identify("u"))
			time.Sleep(events.DefaultFlushInterval) // virtual
		}
		require.EqualValues(t, 2*20, service.posts.Load(), "every payload is tried twice, without a pause")
		require.Equal(t, 1, warnings(output), output)
		require.Contains(t, output.String(), "503")
		service.events.Store(http.StatusAccepted)
		for range 3 {
			processor.Send(identify("u"))
			time.Sleep(events.DefaultFlushInterval) // virtual
		}
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, 1, countLines(output, "events are delivered again"), output)
		require.Equal(t, 1, warnings(output), output)
	})
}

// A path for diagnostics that does not exist, and one that works, say nothing about events.
func TestProcessor_Diagnostics_FareByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, processor, output := newAnswering(t, http.StatusAccepted, http.StatusNotFound, events.Options{})
		for range 3 {
			processor.Send(identify("u"))
			require.NoError(t, processor.(events.Flusher).FlushAndWait(t.Context()))
			time.Sleep(events.DefaultDiagnosticInterval) // virtual
		}
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, 1, warnings(output), output)
		require.Contains(t, output.String(), "diagnostic events cannot be delivered")
		require.NotContains(t, output.String(), "events: events")
	})
	synctest.Test(t, func(t *testing.T) {
		_, processor, output := newAnswering(t, http.StatusServiceUnavailable, http.StatusAccepted, events.Options{})
		for range 3 {
			processor.Send(identify("u"))
			time.Sleep(events.DefaultDiagnosticInterval) // virtual
		}
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, 1, warnings(output), output)
		require.Contains(t, output.String(), "events: events cannot be delivered")
		require.NotContains(t, output.String(), "delivered again")
		require.NotContains(t, output.String(), "diagnostic events")
	})
}

func TestProcessor_Send_CostsNothingWhileDeliveryPauses(t *testing.T) {
	service := newService(t)
	service.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	processor := newProcessor(t, service, events.Options{})
	processor.Send(identify("a"))
	require.Error(t, processor.(events.Flusher).FlushAndWait(t.Context()))
	event := core.Event(identify("b"))
	require.Zero(t, testing.AllocsPerRun(100, func() { processor.Send(event) }))
	receive(t, service.posts)
	closeWithin(t, processor, patient)
	require.Empty(t, service.posts)
}

func TestProcessor_FlushAndWait_WaitsForWhatIsUnderWayAndBuffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, service := newSaturated(t, events.Options{})
		began := time.Now()
		time.AfterFunc(550*time.Millisecond, func() { close(service.proceed) })
		require.NoError(t, processor.(events.Flusher).FlushAndWait(t.Context()))
		require.GreaterOrEqual(t, time.Since(began), 550*time.Millisecond)
		require.LessOrEqual(t, time.Since(began), 700*time.Millisecond)
		require.EqualValues(t, 7, service.accepted.Load())
		require.NoError(t, processor.(events.Flusher).FlushAndWait(t.Context()), "with nothing to deliver")
		require.NoError(t, processor.Close(t.Context()))
		require.Error(t, processor.(events.Flusher).FlushAndWait(t.Context()), "of a closed processor")
	})
}

func TestProcessor_FlushAndWait_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, service := newSaturated(t, events.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, processor.(events.Flusher).FlushAndWait(ctx), context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(began), time.Second)
		close(service.proceed)
		require.NoError(t, processor.Close(t.Context()))
		require.EqualValues(t, 7, service.accepted.Load(), "the deliveries went on")
	})
}

func TestProcessor_FlushAndWait_ReportsWhatWasNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, processor, _ := newAnswering(t, http.StatusServiceUnavailable, http.StatusAccepted, events.Options{})
		processor.Send(identify("u"))
		require.ErrorContains(t, processor.(events.Flusher).FlushAndWait(t.Context()), "503")
		service.events.Store(http.StatusAccepted)
		processor.Send(identify("u"))
		require.NoError(t, processor.(events.Flusher).FlushAndWait(t.Context()))
		require.ErrorIs(t, processor.(events.Flusher).FlushAndWait(nil), core.ErrInvalid)
		require.NoError(t, processor.Close(t.Context()))
	})
}

func TestProcessor_FlushAndWait_ConcurrentlyWithClose(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			_, processor, _ := newAnswering(t, http.StatusAccepted, http.StatusAccepted, events.Options{Capacity: 1})
			done := make(chan struct{}, 10)
			for range cap(done) {
				go func() {
					for processor.(events.Flusher).FlushAndWait(t.Context()) == nil {
						processor.Send(identify("u"))
					}
					done <- struct{}{}
				}()
			}
			require.NoError(t, processor.Close(t.Context()))
			for range cap(done) {
				<-done
			}
		})
	}
}
