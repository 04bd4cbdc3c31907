package polling_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestSource_Start_DeliversEverything(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.SetEnvironmentID("env-1")
		r.start()
		require.Equal(t, map[string]string{
			"features/a": flag("a", 1),
			"segments/s": `{"key":"s","version":1}`,
		}, r.Sink.Items())
		require.True(t, r.Source.Initialized())
		require.Equal(t, "env-1", r.Sink.EnvironmentID())
		require.Equal(t, []mockservice.Report{{State: core.DataSourceValid}}, r.Sink.Reports())
	})
}

func TestSource_Request_HasHeadersAndPath(t *testing.T) {
	for _, base := range []string{"http://service.test/under", "http://service.test/under/"} {
		inBubble(t, func(r *rig) {
			r.options = polling.Options{BaseURI: base, PayloadFilter: "f1"}
			r.start()
			requests := r.Service.Requests("/under/sdk/latest-all")
			require.Len(t, requests, 1)
			require.Equal(t, http.MethodGet, requests[0].Method)
			require.Equal(t, "filter=f1", requests[0].URL.RawQuery)
			require.Equal(t, mockservice.SDKKey, requests[0].Header.Get("Authorization"))
			require.Equal(t, "gzip", requests[0].Header.Get("Accept-Encoding"))
			require.Empty(t, requests[0].Header.Get("If-None-Match"))
		})
	}
}

func TestSource_Interval(t *testing.T) {
	for interval, want := range map[time.Duration]time.Duration{
		0: 30 * time.Second, time.Second: 30 * time.Second, 45 * time.Second: 45 * time.Second,
	} {
		t.Run(interval.String(), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.options.Interval = interval
				r.start()
				for i := range 3 {
					r.AwaitRequests(2 + i)
					r.requireInterval(want)
				}
			})
		})
	}
}

func TestSource_Interval_CountsFromTheBeginningOfAPoll(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Next(mockservice.PollPath, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(9 * time.Second)
			w.WriteHeader(http.StatusBadGateway)
		}, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(9 * time.Second)
			_, _ = w.Write([]byte(flagData(1)))
		})
		r.start()
		r.AwaitRequests(3)
		r.requireInterval(30 * time.Second)
	})
}

func TestSource_Interval_TooShortIsLogged(t *testing.T) {
	var log strings.Builder
	settings := core.ClientSettings{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	_, err := polling.Source(polling.Options{Interval: time.Second})(settings, mockservice.NewSink())
	require.NoError(t, err)
	require.Contains(t, log.String(), "interval=1s")
}

func TestSource_EntityTag_SparesUnchangedData(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.AwaitRequests(2)
		require.NotEmpty(t, r.Requests()[1].Header.Get("If-None-Match"))
		require.Equal(t, 1, r.Sink.Inits())
		r.RequireState(core.DataSourceValid)

		r.Service.SetData(flagData(2))
		r.AwaitRequests(3)
		require.Equal(t, 2, r.Sink.Inits())
		r.RequireFlag("a", flag("a", 2))
	})
}

func TestSource_EntityTag_OfDataThatCannotBeUnderstoodIsForgotten(t *testing.T) {
	inBubble(t, func(r *rig) {
		broken := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"broken"`)
			_, _ = w.Write([]byte(`{"flags":5}`))
		}
		r.start()
		r.Service.Next(mockservice.PollPath, broken)
		r.AwaitRequests(3)
		require.Equal(t, r.Requests()[1].Header.Get("If-None-Match"), r.Requests()[2].Header.Get("If-None-Match"))
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_Compressed(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Compress()
		r.start()
		r.RequireFlag("a", flag("a", 1))
	})
}

func TestSource_Error_IsReportedAndTheDataStays(t *testing.T) {
	text := func(text string) http.HandlerFunc { return mockservice.Text("application/json", text) }
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		kind    core.DataSourceErrorKind
		text    string
	}{
		"500":                {mockservice.Status(500), core.DataSourceErrorResponse, "500 Internal Server Error"},
		"204":                {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, core.DataSourceErrorResponse, "204"},
		"hanging":            {mockservice.Hang, core.DataSourceErrorNetwork, "10s"},
		"hanging body":       {hangingBody, core.DataSourceErrorNetwork, "10s"},
		"no connection":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, core.DataSourceErrorNetwork, ""},
		"truncated":          {mockservice.Break("application/json", `{"flags":{`), core.DataSourceErrorNetwork, ""},
		"empty":              {text(``), core.DataSourceErrorInvalidData, "EOF"},
		"cut short":          {text(`{"flags":{`), core.DataSourceErrorInvalidData, ""},
		"a page":             {mockservice.Text("text/html", "<html></html>"), core.DataSourceErrorInvalidData, ""},
		"flags no object":    {text(`{"flags":[]}`), core.DataSourceErrorInvalidData, "flags"},
		"flag no object":     {text(`{"flags":{"a":null}}`), core.DataSourceErrorInvalidData, `"a"`},
		"flag bad model":     {text(`{"flags":{"a":{"rules":true}}}`), core.DataSourceErrorInvalidData, `"a"`},
		"text after it":      {text(`{"flags":{}}{}`), core.DataSourceErrorInvalidData, ""},
		"not really zipped":  {notZipped, core.DataSourceErrorNetwork, "gzip"},
		"redirect for ever":  {redirect(mockservice.PollPath), core.DataSourceErrorNetwork, "redirects more than 10"},
		"null":               {text(`null`), core.DataSourceErrorInvalidData, "must be an object, and is null"},
		"nested too deep":    {text(`{"flags":{"a":` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + `}}`), core.DataSourceErrorInvalidData, ""},
		"deeper than stacks": {text(`{"x":` + strings.Repeat(`[`, 1_000_000) + `}`), core.DataSourceErrorInvalidData, "depth"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.start()
				r.Service.SetData(flagData(2))
				for range 12 {
					r.Service.Next(mockservice.PollPath, test.handler)
				}
				r.AwaitRequests(2)
				if strings.HasPrefix(name, "hanging") {
					pass(10 * time.Second)
				}
				r.RequireInterrupted(test.kind, test.text)
				r.RequireFlag("a", flag("a", 1))
			})
		})
	}
}

func hangingBody(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(`{"flags":{`))
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func notZipped(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write([]byte(`{"flags":{}}`))
}

func redirect(target string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) }
}

func TestSource_NotModified_UnaskedIsAnError(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Next(mockservice.PollPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
		r.start()
		require.Equal(t, 304, r.RequireInterrupted(core.DataSourceErrorResponse).HTTPStatus)
		require.False(t, r.Source.Initialized())
	})
}

func TestSource_Payload_TooLarge(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		inBubble(t, func(r *rig) {
			r.options.MaxPayloadSize = 10_000
			if compressed {
				r.Service.Compress()
			}
			r.Service.SetData(`{"flags":{},"more":"` + strings.Repeat(" ", 10_000) + `"}`)
			r.start()
			r.RequireInterrupted(core.DataSourceErrorInvalidData, "MaxPayloadSize", "10000")
		})
	}
}

func TestSource_Retry_ExpectedErrorsWaitForTheInterval(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		for _, status := range []int{400, 408, 429, 500, 503} {
			r.Service.Next(mockservice.PollPath, mockservice.Status(status))
		}
		for i := range 6 {
			r.AwaitRequests(2 + i)
			r.requireInterval(30 * time.Second)
		}
		r.RequireState(core.DataSourceValid)
	})
}

func TestSource_Retry_IsSoonerWhileThereIsNoData(t *testing.T) {
	inBubble(t, func(r *rig) {
		for range 7 {
			r.Service.Next(mockservice.PollPath, mockservice.Status(503))
		}
		r.start()
		for i, delay := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			r.AwaitRequests(2 + i)
			r.requireGap(delay*time.Second/2, delay*time.Second)
		}
		r.RequireState(core.DataSourceValid)
		r.AwaitRequests(9)
		r.requireInterval(30 * time.Second)
	})
}

func TestSource_Retry_UnexpectedErrorsTakeMinutes(t *testing.T) {
	for _, status := range []int{401, 403, 404, 405} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.PollPath, mockservice.Status(status), mockservice.Status(status))
				r.start()
				require.Equal(t, status, r.RequireInterrupted(core.DataSourceErrorResponse, "check").HTTPStatus)
				for i := range 2 {
					r.AwaitRequests(2 + i)
					r.requireGap(150*time.Second, 300*time.Second)
				}
				r.RequireState(core.DataSourceValid)
			})
		})
	}
}

func TestSource_Retry_UnexpectedIsForgottenAfterTwoSuccesses(t *testing.T) {
	for successes, soon := range map[int]bool{1: false, 2: true} {
		t.Run(strconv.Itoa(successes), func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.Service.Next(mockservice.PollPath, mockservice.Status(401))
				r.start()
				r.AwaitRequests(2)
				for i := 1; i < successes; i++ {
					r.AwaitRequests(2 + i)
					r.requireInterval(30 * time.Second)
				}
				r.Service.Next(mockservice.PollPath, mockservice.Status(500))
				r.AwaitRequests(2 + successes)
				r.AwaitRequests(3 + successes)
				if soon {
					r.requireInterval(30 * time.Second)
				} else {
					r.requireGap(150*time.Second, 300*time.Second)
				}
			})
		})
	}
}

func TestSource_Retry_IntervalIsTheLeast(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.options.Interval = 8 * time.Minute
		r.Service.Next(mockservice.PollPath, mockservice.Status(401))
		r.start()
		r.AwaitRequests(2)
		r.requireInterval(8 * time.Minute)
	})
}

func TestSource_Stop_WhilePolling(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Next(mockservice.PollPath, mockservice.Hang)
		r.start()
		stopped := time.Now()
		r.Stop()
		require.Zero(t, time.Since(stopped))
		require.Len(t, r.Sink.Reports(), 1)
	})
}

func TestSource_Options_Refused(t *testing.T) {
	for want, options := range map[string]polling.Options{
		"Interval":       {Interval: -1},
		"RequestTimeout": {RequestTimeout: -1},
		"MaxPayloadSize": {MaxPayloadSize: -1},
		"https://host":   {BaseURI: "localhost:80"},
	} {
		_, err := polling.Source(options)(core.ClientSettings{}, mockservice.NewSink())
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, want)
		_, err = polling.NewRequester(core.ClientSettings{}, options)
		require.ErrorIs(t, err, core.ErrInvalid)
	}
}

// scripted returns one answer after the other, and then that nothing has changed.
type scripted struct {
	answers []answer
	calls   int
}

type answer struct {
	data    []core.Collection
	changed bool
	err     error
}

func (s *scripted) FetchAll(context.Context) ([]core.Collection, bool, error) {
	s.calls++
	if s.calls > len(s.answers) {
		return nil, false, nil
	}
	next := s.answers[s.calls-1]
	return next.data, next.changed, next.err
}

func TestSource_Requester_OfTheApplication(t *testing.T) {
	inBubble(t, func(r *rig) {
		item, err := core.ParseItem([]byte(flag("a", 1)))
		require.NoError(t, err)
		requester := &scripted{answers: []answer{
			{err: errors.New("not yet")},
			{},
			{changed: true, data: []core.Collection{{Kind: core.Flags, Items: []core.KeyedItem{{Key: "a", Item: item}}}}},
			{},
			{changed: true},
		}}
		r.options = polling.Options{Interval: time.Millisecond, Requester: requester}
		r.start()
		require.Equal(t, "not yet", r.RequireInterrupted(core.DataSourceErrorNetwork).Message)
		pass(time.Millisecond)
		r.RequireInterrupted(core.DataSourceErrorInvalidData, "nothing before")
		pass(time.Millisecond)
		r.RequireFlag("a", flag("a", 1))
		pass(time.Millisecond)
		r.RequireFlag("a", flag("a", 1))
		pass(2 * time.Millisecond) // intervals are up to a tenth longer
		require.Empty(t, r.Sink.Items())
	})
}

func TestRequester_FetchAll_PassesContextErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := mockservice.New(t)
		requester, err := polling.NewRequester(service.Settings(), polling.Options{})
		require.NoError(t, err)
		service.Next(mockservice.PollPath, mockservice.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err = requester.FetchAll(ctx)
		require.Equal(t, context.DeadlineExceeded, err)
		_, _, err = requester.FetchAll(nil)
		require.ErrorIs(t, err, core.ErrInvalid)
	})
}
