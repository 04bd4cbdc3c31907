package streaming_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/internal/mockservice"
)

const sse = "text/event-stream"

// requireGap requires that the last two requests were apart by a delay of which up to half was taken away.
func (r *rig) requireGap(delay time.Duration) {
	r.T.Helper()
	require.GreaterOrEqual(r.T, r.Gap(), delay/2)
	require.LessOrEqual(r.T, r.Gap(), delay)
}

func TestSource_Retry_AfterExpectedStatus(t *testing.T) {
	for _, status := range []int{400, 408, 429, 500, 502, 503, 204, 304} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.StreamPath, respond(status), respond(status))
				r.start()
				info := r.RequireInterrupted(core.DataSourceErrorResponse, strconv.Itoa(status))
				require.Equal(t, status, info.HTTPStatus)
				require.False(t, r.Source.Initialized())
				r.AwaitRequests(2)
				r.requireGap(time.Second)
				r.AwaitRequests(3)
				r.requireGap(2 * time.Second)
				r.RequireState(core.DataSourceValid)
				r.RequireFlag("a", flag("a", 1))
			})
		})
	}
}

// respond answers with a status, which has a page unless it must not have one.
func respond(status int) http.HandlerFunc {
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	return mockservice.Status(status)
}

func TestSource_Retry_AfterUnexpectedStatusTakesMinutes(t *testing.T) {
	for _, status := range []int{401, 403, 404, 405, 410, 499} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				for range 3 {
					r.Service.Next(mockservice.StreamPath, respond(status))
				}
				r.start()
				info := r.RequireInterrupted(core.DataSourceErrorResponse, "check")
				require.Equal(t, status, info.HTTPStatus)
				for attempt := range 3 {
					r.AwaitRequests(2 + attempt)
					r.requireGap(5 * time.Minute)
				}
				r.RequireState(core.DataSourceValid)
			})
		})
	}
}

func TestSource_Retry_AfterUnexpectedStatusOnReconnect(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Service.Next(mockservice.StreamPath, respond(401))
		r.Service.SetData(flagData(2))
		r.Service.Disconnect()
		r.AwaitRequests(2)
		r.RequireInterrupted(core.DataSourceErrorResponse, "SDK key")
		r.RequireFlag("a", flag("a", 1))
		r.AwaitRequests(3)
		r.requireGap(5 * time.Minute)
		r.RequireFlag("a", flag("a", 2))
	})
}

func TestSource_Retry_UnexpectedIsForgottenAfterAMinuteOfWork(t *testing.T) {
	for worked, want := range map[time.Duration]time.Duration{
		75 * time.Second: time.Second,
		10 * time.Second: 5 * time.Minute,
	} {
		t.Run(worked.String(), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.StreamPath, respond(403))
				r.start()
				r.AwaitRequests(2)
				r.RequireState(core.DataSourceValid)
				pass(worked)
				r.Service.Disconnect()
				disconnected := time.Now()
				r.AwaitRequests(3)
				delay := r.Requests()[2].Time.Sub(disconnected)
				require.GreaterOrEqual(t, delay, want/2)
				require.LessOrEqual(t, delay, want)
			})
		})
	}
}

func TestSource_Retry_DelaysGrowToThirtySeconds(t *testing.T) {
	inBubble(t, func(r *rig) {
		for range 9 {
			r.Service.Next(mockservice.StreamPath, respond(503))
		}
		r.start()
		for i, delay := range []time.Duration{1, 2, 4, 8, 16, 30, 30, 30, 30} {
			r.AwaitRequests(2 + i)
			r.requireGap(delay * time.Second)
		}
		pass(time.Minute)
		r.Service.Disconnect()
		r.AwaitRequests(11)
		require.Less(t, r.Gap(), time.Minute+2*time.Second)
	})
}

func TestSource_Retry_InitialDelay(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.options.InitialRetryDelay = 50 * time.Second
		r.Service.Next(mockservice.StreamPath, respond(503), respond(503))
		r.start()
		for i := range 2 {
			r.AwaitRequests(2 + i)
			r.requireGap(50 * time.Second)
		}
	})
}

func TestSource_Retry_AfterBrokenConnections(t *testing.T) {
	const put = "event: put\ndata: "
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		kind    core.DataSourceErrorKind
		text    string
	}{
		"before the response": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, core.DataSourceErrorNetwork, ""},
		"before any event":    {mockservice.Break(sse, ":\n"), core.DataSourceErrorNetwork, ""},
		"in an event":         {mockservice.Break(sse, put+`{"data":{"flags":{`), core.DataSourceErrorNetwork, "middle"},
		"in a whole line":     {mockservice.Break(sse, put+`{"data":{"flags":{}}}`+"\n"), core.DataSourceErrorNetwork, "middle"},
		"closed":              {mockservice.Text(sse, ":\n\n"), core.DataSourceErrorNetwork, "closed"},
		"closed in an event":  {mockservice.Text(sse, put+"{}"), core.DataSourceErrorNetwork, ""},
		"a page":              {mockservice.Text("text/html", "<html>"), core.DataSourceErrorInvalidData, "text/html"},
		"JSON":                {mockservice.Text("application/json", "{}"), core.DataSourceErrorInvalidData, "base URI"},
		"empty":               {mockservice.Text("", ""), core.DataSourceErrorInvalidData, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.StreamPath, test.handler)
				r.start()
				r.RequireInterrupted(test.kind, test.text)
				require.Empty(t, r.Sink.Items())
				r.AwaitRequests(2)
				r.requireGap(time.Second)
				r.RequireFlag("a", flag("a", 1))
			})
		})
	}
}

func TestSource_Retry_AfterNoResponse(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.options.ResponseTimeout = 7 * time.Second
		r.Service.Next(mockservice.StreamPath, mockservice.Hang)
		r.start()
		pass(6 * time.Second)
		require.Empty(t, r.Sink.Reports())
		pass(time.Second)
		r.RequireInterrupted(core.DataSourceErrorNetwork, "7s")
		r.AwaitRequests(2)
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_Retry_AfterSilence(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		for range 4 {
			pass(4 * time.Minute)
			r.Service.Write(":\n")
		}
		pass(5*time.Minute - time.Second)
		r.RequireState(core.DataSourceValid)
		require.Equal(t, 1, r.connections())
		pass(time.Second)
		r.RequireInterrupted(core.DataSourceErrorNetwork, "silent for 5m0s")
		r.AwaitRequests(2)
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_Silence_IsMeasuredInBytes(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		event := "event: patch\ndata: " + `{"path":"/flags/a","data":` + flag("a", 2) + "}\n\n"
		for i := range len(event) {
			pass(4 * time.Minute)
			r.Service.Write(event[i : i+1])
		}
		synctest.Wait()
		r.RequireFlag("a", flag("a", 2))
		require.Equal(t, 1, r.connections())
	})
}

func TestSource_Stop_WhileWaiting(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{"to retry": respond(401), "for the response": mockservice.Hang} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.StreamPath, handler)
				r.start()
				stopped := time.Now()
				r.Stop()
				require.Zero(t, time.Since(stopped))
			})
		})
	}
}

func TestSource_Start_ContextEndStops(t *testing.T) {
	inBubble(t, func(r *rig) {
		source, err := streaming.Source(streaming.Options{})(r.Service.Settings(), r.Sink)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(r.T.Context())
		source.Start(ctx)
		synctest.Wait()
		require.True(t, source.Initialized())
		cancel()
		<-source.Done()
		r.RequireState(core.DataSourceOff)
	})
}

// attempts records the outcomes of attempts to connect.
type attempts struct{ outcomes chan string }

func (a attempts) RecordStreamInit(began time.Time, took time.Duration, failed bool) {
	a.outcomes <- fmt.Sprintf("%v %v", took, failed)
	if began.IsZero() {
		panic("the attempt began never")
	}
}

func TestSource_StreamInits_AreRecorded(t *testing.T) {
	inBubble(t, func(r *rig) {
		recorded := attempts{make(chan string, 10)}
		r.adapt = func(settings *core.ClientSettings) { settings.StreamInits = recorded }
		late := func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(3 * time.Second)
			w.WriteHeader(http.StatusBadGateway)
		}
		r.Service.Next(mockservice.StreamPath, late, mockservice.Break(sse, ""))
		r.start()
		r.AwaitRequests(3)
		pass(time.Second)
		r.Stop()
		close(recorded.outcomes)
		var got []string
		for outcome := range recorded.outcomes {
			got = append(got, outcome)
		}
		require.Equal(t, []string{"3s true", "0s true", "0s false"}, got)
	})
}

// A proxy's 403 or 407 says nothing about the SDK key, so that it is not waited for minutes.
func TestSource_Retry_AfterAnswerOfAProxy(t *testing.T) {
	for _, status := range []int{403, 407, 502, 503} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.StreamPath, mockservice.Page(status))
				r.start()
				info := r.RequireInterrupted(core.DataSourceErrorNetwork, "proxy", strconv.Itoa(status))
				require.NotContains(t, info.Message, "SDK key")
				r.AwaitRequests(2)
				r.requireGap(time.Second)
				r.RequireState(core.DataSourceValid)
			})
		})
	}
}
