package events_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

// abandon closes a processor that cannot deliver and waits until nothing of it is left.
func abandon(t testing.TB, processor core.EventProcessor) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, processor.Close(ended), context.Canceled)
	closeWithin(t, processor, patient)
}

// transport is a service without a network, for tests in virtual time.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func virtualSettings(f transport) core.ClientSettings {
	return core.ClientSettings{
		SDKKey: sdkKey, Logger: slog.New(slog.DiscardHandler), HTTPClient: &http.Client{Transport: f},
		Headers: http.Header{}, Started: time.Now(),
	}
}

// accepted answers a request whose body could be read without err.
func accepted(request *http.Request, err error) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Request: request}, err
}

func hang(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, request.Context().Err()
}

func TestProcessor_Close_DeliversWhatIsBuffered(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	for i := range 500 {
		processor.Send(identify(strconv.Itoa(i)))
	}
	closeWithin(t, processor, patient)
	require.Len(t, receive(t, service.posts).events(t)["identify"], 500)

	late := core.Event(identify("late"))
	require.Zero(t, testing.AllocsPerRun(1000, func() { processor.Send(late) }))
	processor.Flush()
	closeWithin(t, processor, patient)
	require.Empty(t, service.posts)
}

func TestProcessor_Close_WaitsForDeliveryThatIsUnderWay(t *testing.T) {
	service := newService(t)
	arrived, proceed := make(chan struct{}), make(chan struct{})
	service.Answer(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-proceed
		w.WriteHeader(http.StatusAccepted)
	})
	processor := newProcessor(t, service, events.Options{})
	processor.Send(identify("a"))
	processor.Flush()
	<-arrived
	closed := make(chan error, 1)
	go func() { closed <- processor.Close(t.Context()) }()
	select {
	case err := <-closed:
		t.Fatalf("Close did not wait and returned %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(proceed)
	require.NoError(t, <-closed)
}

func TestProcessor_Close_NilContextIsRefused(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	require.ErrorIs(t, processor.Close(nil), core.ErrInvalid)
	processor.Send(identify("a"))
	require.Len(t, service.nextEvents(t, processor)["identify"], 1)
}

func TestProcessor_Close_EndsWithContextWhenServiceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, err := events.Processor(events.Options{})(virtualSettings(hang))
		require.NoError(t, err)
		for i := range 100 { // several deliveries hang, and more is buffered
			processor.Send(identify(strconv.Itoa(i)))
			synctest.Wait()
			processor.Flush()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, processor.Close(ctx), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, time.Since(began))

		// What is left ends by itself, or else the bubble would not.
		require.NoError(t, processor.Close(t.Context()))
		require.LessOrEqual(t, time.Since(began), 3*time.Second+events.DefaultRetryDelay)
		require.NoError(t, processor.Close(ctx), "it is closed, whatever the context says")
	})
}

func TestProcessor_Close_GivesUpByItselfWhenServiceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		processor, err := events.Processor(events.Options{DisableDiagnostics: true})(virtualSettings(hang))
		require.NoError(t, err)
		processor.Send(identify("a"))
		began := time.Now()
		require.NoError(t, processor.Close(t.Context()))
		require.Equal(t, 2*events.DefaultRequestTimeout+events.DefaultRetryDelay, time.Since(began))
	})
}

func TestProcessor_Close_AnswerThatBreaksOffIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32
		answer := func(request *http.Request) (*http.Response, error) {
			requests.Add(1)
			body, writer := io.Pipe()
			context.AfterFunc(request.Context(), func() { _ = writer.CloseWithError(request.Context().Err()) })
			return &http.Response{StatusCode: http.StatusAccepted, Body: body, Request: request}, nil
		}
		processor, err := events.Processor(events.Options{DisableDiagnostics: true})(virtualSettings(answer))
		require.NoError(t, err)
		processor.Send(identify("a"))
		require.NoError(t, processor.Close(t.Context()))
		require.EqualValues(t, 1, requests.Load())
	})
}

func TestProcessor_FlushInterval_DeliversByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		delivered := make(chan time.Time, 10)
		answer := func(request *http.Request) (*http.Response, error) {
			delivered <- time.Now()
			return accepted(request, nil)
		}
		began := time.Now()
		processor, err := events.Processor(events.Options{DisableDiagnostics: true})(virtualSettings(answer))
		require.NoError(t, err)
		processor.Send(identify("a"))
		require.Equal(t, events.DefaultFlushInterval, (<-delivered).Sub(began))
		require.NoError(t, processor.Close(t.Context()))
		require.Empty(t, delivered)
	})
}

func TestProcessor_Send_ConcurrentlyWithFlushAndClose(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range 8 {
		group.Go(func() {
			<-start
			for n := range 200 {
				processor.Send(evaluation(ldcontext.New(strconv.Itoa(n)), "flag"))
				processor.Send(migrationEvent(ldcontext.New("u")))
				if n%50 == i {
					processor.Flush()
				}
			}
		})
	}
	for range 3 {
		group.Go(func() {
			<-start
			<-service.posts
			closeWithin(t, processor, patient)
		})
	}
	close(start)
	group.Wait()
	for len(service.posts) > 0 {
		require.NotEmpty(t, (<-service.posts).events(t))
	}
}
