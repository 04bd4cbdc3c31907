package fdv2_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/fdv2"
	"github.com/cleatdev/cleat/internal/mockhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	streamPath = "/base/sdk/stream"
	pollPath   = "/base/sdk/poll"
)

// rig is a source of a client that keeps the selector of what it is told.
type rig struct {
	*mockhttp.Server

	ctx    context.Context //nolint:containedctx // of the source
	cancel context.CancelFunc
	ended  chan *core.FallbackDirective // what Run has returned

	mu   sync.Mutex // guards what follows
	has  core.Selector
	told []string // since the last look
	// failedInits has, of each attempt to open a stream, whether it failed.
	failedInits []bool
}

// RecordStreamInit implements [core.StreamInitRecorder].
func (r *rig) RecordStreamInit(_ time.Time, _ time.Duration, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failedInits = append(r.failedInits, failed)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{Server: mockhttp.New(t, http.NotFoundHandler()), ended: make(chan *core.FallbackDirective, 1)}
	r.ctx, r.cancel = context.WithCancel(t.Context())
	t.Cleanup(func() { // before the server is closed
		r.cancel()
		<-r.ended
		r.Client().CloseIdleConnections()
	})
	return r
}

func (r *rig) settings() core.ClientSettings {
	return core.ClientSettings{SDKKey: "sdk-1", Logger: slog.New(slog.DiscardHandler), HTTPClient: r.Client(), StreamInits: r}
}

func (r *rig) selector() core.Selector {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.has
}

func (r *rig) tell(update core.Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if update.ChangeSet == nil {
		r.told = append(r.told, "error: "+update.Error.String())
		return
	}
	if update.ChangeSet.Selector != "" {
		r.has = update.ChangeSet.Selector
	}
	r.told = append(r.told, describe(update.ChangeSet)+update.EnvironmentID)
}

// news returns what the source has told since the last call, once it rests.
func (r *rig) news() []string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told
	r.told = nil
	return told
}

func (r *rig) poller(t *testing.T) *fdv2.Poller {
	t.Helper()
	p, err := fdv2.NewPoller(r.settings(), fdv2.PollerOptions{
		BaseURI: "http://flags.test/base/", Interval: 30 * time.Second, RequestTimeout: 10 * time.Second, MaxPayloadSize: 1 << 20,
	})
	require.NoError(t, err)
	return p
}

func (r *rig) poll(t *testing.T) {
	t.Helper()
	p := r.poller(t)
	go func() { r.ended <- p.Run(r.ctx, r.selector, r.tell) }()
}

func (r *rig) stream(t *testing.T) {
	t.Helper()
	s, err := fdv2.NewStreamer(r.settings(), fdv2.StreamerOptions{
		BaseURI: "http://flags.test/base", InitialRetryDelay: time.Second, ResponseTimeout: 10 * time.Second,
		ReadTimeout: 5 * time.Minute, MaxPayloadSize: 1 << 20,
	})
	require.NoError(t, err)
	go func() { r.ended <- s.Run(r.ctx, r.selector, r.tell) }()
}

// streams answers a request with events, and leaves the stream open.
func (r *rig) streams(events ...event) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) { r.ServeStream(w, request, sse(events...), 10) }
}

func sse(events ...event) string {
	var text strings.Builder
	for _, e := range events {
		name, data, _ := strings.Cut(string(e), " ")
		text.WriteString(mockhttp.Event(name, data))
	}
	return text.String()
}

// answers is the answer to a poll.
func answers(events ...event) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(pollBody(events...)) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// directing adds the directive to the header of an answer.
func directing(ttl string, handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("X-LD-FD-Fallback", "TRUE")
		if ttl != "" {
			w.Header().Set("X-LD-FD-Fallback-TTL", ttl)
		}
		handler(w, request)
	}
}

func (r *rig) queries(path string) (queries []string) {
	for _, request := range r.Requests(path) {
		queries = append(queries, request.URL.RawQuery)
	}
	return queries
}

// Each request names the state that the client has, escaped, and none before there is one.
func TestPoller_Run_AsksFromTheStateThatTheClientHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Next(pollPath, answers(full, put("a", 1), end("a&b=c%\n1")), answers(none, end("other")), answers(partial, put("a", 2), end("s2")), answers(none))
		r.poll(t)
		require.Equal(t, []string{"full a:1 @a&b=c%\n1"}, r.news())
		time.Sleep(34 * time.Second)
		require.Equal(t, []string{"none"}, r.news())
		time.Sleep(66 * time.Second)
		require.Equal(t, []string{"partial a:2 @s2", "none"}, r.news())
		require.Equal(t, []string{"", "basis=a%26b%3Dc%25%0A1", "basis=a%26b%3Dc%25%0A1", "basis=s2"}, r.queries(pollPath))
		first := r.Requests(pollPath)
		require.Equal(t, "sdk-1", first[0].Header.Get("Authorization"))
		apart := first[1].Time.Sub(first[0].Time)
		require.GreaterOrEqual(t, apart, 30*time.Second)
		require.LessOrEqual(t, apart, 33*time.Second)
	})
}

// What may heal is told and tried again soon; what the client has stays.
func TestPoller_Run_WhatMayHeal_IsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Next(pollPath, status(500), answers(full, put("a", 1)), status(429), status(400), status(408), answers(full, put("a", 1), end("s")))
		r.poll(t)
		time.Sleep(32 * time.Second)
		news := r.news()
		require.Len(t, news, 6)
		require.Contains(t, news[0], "500")
		require.Contains(t, news[1], "no complete payload")
		require.Equal(t, "full a:1 @s", news[5])
	})
}

func TestPoller_Run_HangingService_IsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Next(pollPath, func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }, answers(full, end("s")))
		r.poll(t)
		time.Sleep(12 * time.Second)
		news := r.news()
		require.Len(t, news, 2)
		require.Contains(t, news[0], "within 10s")
		require.Equal(t, "full @s", news[1])
	})
}

func TestPoller_Run_PayloadTooLarge_IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Next(pollPath, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(endless{}, 8<<20)) })
		r.poll(t)
		require.Contains(t, r.news()[0], "MaxPayloadSize")
	})
}

// A payload that never ends does not fill the memory, though each of its events is small. What was complete before it stays.
func TestStreamer_Run_PayloadWithoutEnd_IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Next(streamPath, r.streams(full, put("a", 1), end("s1")), r.streams(partial, put("b", 1), end("s2")))
		r.stream(t)
		require.Equal(t, []string{"full a:1 @s1"}, r.news())
		large := put(strings.Repeat("k", 100<<10), 1) // twice in an event
		for range 6 {
			r.Write(sse(large))
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		news := r.news()
		require.Len(t, news, 2)
		require.Contains(t, news[0], "larger than MaxPayloadSize, 1048576 bytes")
		require.Equal(t, "partial b:1 @s2", news[1])
		require.Equal(t, []string{"", "basis=s1"}, r.queries(streamPath))
	})
}

// A selector of any length and any bytes reaches the service as it came.
func TestSources_Run_LargeSelector_IsReturned(t *testing.T) {
	selector := strings.Repeat("a&b=c%#+é ", 1<<10)
	for path, start := range map[string]func(*rig, *testing.T){pollPath: (*rig).poll, streamPath: (*rig).stream} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			first, second := answers(full, put("a", 1), end(selector)), answers(none)
			if path == streamPath {
				first, second = r.streams(full, put("a", 1), end(selector)), r.streams(none)
			}
			r.Next(path, first, second)
			start(r, t)
			require.Equal(t, []string{"full a:1 @" + selector}, r.news())
			if path == streamPath {
				r.Disconnect()
			}
			time.Sleep(34 * time.Second)
			requests := r.Requests(path)
			require.GreaterOrEqual(t, len(requests), 2)
			require.Equal(t, selector, requests[1].URL.Query().Get("basis"))
		})
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// A status that says that the request is wrong ends either source, without another request.
func TestSources_Run_RequestIsWrong_Ends(t *testing.T) {
	for path, start := range map[string]func(*rig, *testing.T){pollPath: (*rig).poll, streamPath: (*rig).stream} {
		for _, code := range []int{401, 403, 404, 405} {
			t.Run(fmt.Sprintf("%s, %d", path, code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.Next(path, status(code))
					start(r, t)
					directive := <-r.ended
					r.ended <- directive
					require.Nil(t, directive)
					news := r.news()
					require.Len(t, news, 1)
					require.Contains(t, news[0], fmt.Sprintf("error_response(%d)", code))
					require.Len(t, r.Requests(path), 1)
				})
			})
		}
	}
}

// The service's word that its first protocol is to be used ends either source, after what it has sent along.
func TestSources_Run_Directive_Ends(t *testing.T) {
	type answer func(r *rig) http.HandlerFunc
	bye := func(ttl int) event {
		return event(fmt.Sprintf(`goodbye {"reason":"old protocol","protocolFallbackTTL":%d}`, ttl))
	}
	for name, test := range map[string]struct {
		path   string
		answer answer
		told   []string
		want   time.Duration
	}{
		"poll":            {pollPath, func(*rig) http.HandlerFunc { return directing("60", answers(full, put("a", 1), end("s"))) }, []string{"full a:1 @s"}, time.Minute},
		"poll, 500":       {pollPath, func(*rig) http.HandlerFunc { return directing("", status(500)) }, nil, time.Hour},
		"poll, 403":       {pollPath, func(*rig) http.HandlerFunc { return directing("0", status(403)) }, nil, time.Hour},
		"poll, goodbye":   {pollPath, func(*rig) http.HandlerFunc { return answers(bye(90)) }, nil, 90 * time.Second},
		"stream":          {streamPath, func(r *rig) http.HandlerFunc { return directing("7200", r.streams(full, put("a", 1), end("s"))) }, []string{"full a:1 @s"}, time.Hour},
		"stream, 500":     {streamPath, func(*rig) http.HandlerFunc { return directing("-3", status(500)) }, nil, time.Hour},
		"stream, 403":     {streamPath, func(*rig) http.HandlerFunc { return directing("soon", status(403)) }, nil, time.Hour},
		"stream, goodbye": {streamPath, func(r *rig) http.HandlerFunc { return r.streams(full, put("a", 1), end("s"), bye(0)) }, []string{"full a:1 @s"}, time.Hour},
		"stream ends before a payload": {
			streamPath, func(*rig) http.HandlerFunc {
				return directing("5", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/event-stream") })
			}, nil, 5 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.Next(test.path, test.answer(r))
				if test.path == pollPath {
					r.poll(t)
				} else {
					r.stream(t)
				}
				directive := <-r.ended
				r.ended <- directive
				require.NotNil(t, directive)
				require.Equal(t, test.want, directive.TTL)
				require.Equal(t, test.told, r.news())
				require.Len(t, r.Requests(test.path), 1)
			})
		})
	}
}

// After whatever ends a connection the next one is asked for from the state that was complete, and what was not is forgotten.
func TestStreamer_Run_Reconnects(t *testing.T) {
	for name, test := range map[string]struct {
		then event // after the first payload; empty for the end of the stream
		told string
	}{
		"the stream ends":      {"", "closed the stream"},
		"goodbye":              {`goodbye {"reason":"maintenance"}`, "says goodbye: maintenance"},
		"what makes no sense":  {`server-intent {"data":{}}`, "names no payload"},
		"end within a payload": {put("b", 1), "closed the stream"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.Next(streamPath, r.streams(full, put("a", 1), end("s1")), r.streams(partial, put("c", 1), end("s2")))
				r.stream(t)
				require.Equal(t, []string{"full a:1 @s1"}, r.news())
				if test.then != "" {
					r.Write(sse(test.then))
					synctest.Wait()
				}
				r.Disconnect()
				time.Sleep(2 * time.Second)
				news := r.news()
				require.Len(t, news, 2)
				require.Contains(t, news[0], test.told)
				require.Equal(t, "partial c:1 @s2", news[1])
				require.Equal(t, []string{"", "basis=s1"}, r.queries(streamPath))
			})
		})
	}
}

// Two errors in succession, and the stream goes on after them.
func TestStreamer_Run_WhatMayHeal_IsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ok := func(w http.ResponseWriter, request *http.Request) {
			w.Header().Set("X-LD-EnvID", "#env")
			r.streams(full, put("a", 1), end("s1"))(w, request)
		}
		r.Next(streamPath, status(503), status(408), ok)
		r.stream(t)
		time.Sleep(4 * time.Second)
		news := r.news()
		require.Len(t, news, 3)
		require.Equal(t, "full a:1 @s1#env", news[2])
		r.Write(sse("heartbeat {}", put("a", 2), end("s2")))
		require.Equal(t, []string{"partial a:2 @s2#env"}, r.news())
		r.mu.Lock()
		defer r.mu.Unlock()
		require.Equal(t, []bool{true, true, false}, r.failedInits)
	})
}

func TestStreamer_Run_SilentService_IsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Next(streamPath, r.streams(full, end("s1")), r.streams(none))
		r.stream(t)
		time.Sleep(5*time.Minute + 2*time.Second)
		news := r.news()
		require.Len(t, news, 3)
		require.Contains(t, news[1], "silent for 5m0s")
		require.Equal(t, "none", news[2])
	})
}

func TestNew_BaseURIThatIsNone_IsInvalid(t *testing.T) {
	_, err := fdv2.NewPoller(core.ClientSettings{}, fdv2.PollerOptions{BaseURI: "ftp://s3cr3t@x"})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, err.Error(), "s3cr3t")
	_, err = fdv2.NewStreamer(core.ClientSettings{}, fdv2.StreamerOptions{BaseURI: "flags"})
	require.ErrorIs(t, err, core.ErrInvalid)
}
