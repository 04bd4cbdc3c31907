package events_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

const (
	sdkKey  = "sdk-the-secret-key"
	patient = 20 * time.Second // how long tests wait for what must come
)

// now is when all events of these tests happen.
const now = ldtime.UnixMillisecondTime(1_700_000_000_000)

func at(context ldcontext.Context) core.EventBase {
	return core.EventBase{Time: now, Context: context}
}

// post is a request that arrived.
type post struct {
	Path   string
	Header http.Header
	Body   []byte
}

// events returns what a post of analytics events holds, by kind.
func (p post) events(t testing.TB) map[string][]map[string]any {
	var list []map[string]any
	require.NoErrorf(t, json.Unmarshal(p.Body, &list), "body: %s", p.Body)
	byKind := map[string][]map[string]any{}
	for _, event := range list {
		kind, _ := event["kind"].(string)
		byKind[kind] = append(byKind[kind], event)
	}
	return byKind
}

// service is an events service on loopback. It answers 202 until Answer says otherwise.
type service struct {
	*httptest.Server
	posts       chan post // analytics events
	diagnostics chan post

	mu     sync.Mutex
	answer http.HandlerFunc
}

func newService(t testing.TB) *service {
	s := &service{posts: make(chan post, 1000), diagnostics: make(chan post, 1000)}
	s.Server = httptest.NewServer(http.HandlerFunc(s.take))
	t.Cleanup(s.Close)
	return s
}

// Answer sets how requests are answered from now on.
func (s *service) Answer(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *service) take(w http.ResponseWriter, request *http.Request) {
	body, err := readBody(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	arrived := post{Path: request.URL.Path, Header: request.Header.Clone(), Body: body}
	if strings.HasSuffix(request.URL.Path, "/diagnostic") {
		s.diagnostics <- arrived
	} else {
		s.posts <- arrived
	}
	s.mu.Lock()
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, request)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func readBody(request *http.Request) ([]byte, error) {
	if request.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(request.Body)
	}
	unpacked, err := gzip.NewReader(request.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

func receive(t testing.TB, posts <-chan post) post {
	select {
	case arrived := <-posts:
		return arrived
	case <-time.After(patient):
		require.FailNow(t, "nothing was delivered")
		return post{}
	}
}

// nextEvents flushes and returns what is delivered.
func (s *service) nextEvents(t testing.TB, processor core.EventProcessor) map[string][]map[string]any {
	processor.Flush()
	return receive(t, s.posts).events(t)
}

// settings returns settings whose HTTP client is closed with the test.
func (s *service) settings(t testing.TB) core.ClientSettings {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return core.ClientSettings{
		SDKKey:     sdkKey,
		Logger:     slog.New(slog.DiscardHandler),
		HTTPClient: client,
		Endpoints:  core.ServiceEndpoints{Events: s.URL},
		Headers: http.Header{
			"User-Agent":             {"Cleat/1.2.3"},
			"X-Launchdarkly-Wrapper": {"wrap/4.5"},
			"X-Launchdarkly-Tags":    {"application-id/x"},
		},
	}
}

// newProcessor makes a processor without diagnostics that is closed with the test.
func newProcessor(t testing.TB, s *service, options events.Options) core.EventProcessor {
	options.DisableDiagnostics = true
	return newProcessorWith(t, s.settings(t), options)
}

func newProcessorWith(t testing.TB, settings core.ClientSettings, options events.Options) core.EventProcessor {
	if options.FlushInterval == 0 {
		options.FlushInterval = time.Hour // tests flush themselves
	}
	if options.RetryDelay == 0 {
		options.RetryDelay = time.Millisecond
	}
	processor, err := events.Processor(options)(settings)
	require.NoError(t, err)
	t.Cleanup(func() { closeWithin(t, processor, patient) })
	return processor
}

// closeWithin closes the processor. It works in a Cleanup too, when the context of the test has ended.
func closeWithin(t testing.TB, processor core.EventProcessor, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
	defer cancel()
	require.NoError(t, processor.Close(ctx))
}

// log is a logger's output.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
