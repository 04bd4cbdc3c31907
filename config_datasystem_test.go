package cleat

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/datasource/testsource"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/internal/mockhttp"
	"github.com/cleatdev/cleat/memorystore"
)

// secondService is a flag service that speaks the second protocol.
type secondService struct {
	*mockhttp.Server

	poll, stream string // the events that a poll is answered with, and a stream begins with
}

const upToDate = "server-intent {\"payloads\":[{\"intentCode\":\"none\"}]}"

// payload is the events of a full payload with the flag, one on each line.
func payload(key string, version int, value, state string) string {
	return "server-intent {\"payloads\":[{\"intentCode\":\"xfer-full\"}]}\n" + change(key, version, value, state)
}

// change is the events of a change of the flag.
func change(key string, version int, value, state string) string {
	return fmt.Sprintf("put-object {\"version\":1,\"kind\":\"flag\",\"key\":%q,\"object\":%s}\npayload-transferred {\"state\":%q,\"version\":1}",
		key, flagtest.OnFlag(key, version, value), state)
}

func newSecondService(t *testing.T, poll, stream string) *secondService {
	t.Helper()
	s := &secondService{poll: poll, stream: stream}
	s.Server = mockhttp.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/sdk/poll":
			_, _ = w.Write([]byte(pollText(s.poll)))
		case "/sdk/stream":
			s.ServeStream(w, r, streamText(s.stream), 100)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	return s
}

func pollText(lines string) string {
	var events []string
	for line := range strings.SplitSeq(lines, "\n") {
		name, data, _ := strings.Cut(line, " ")
		events = append(events, fmt.Sprintf(`{"event":%q,"data":%s}`, name, data))
	}
	return `{"events":[` + strings.Join(events, ",") + `]}`
}

func streamText(lines string) string {
	var text strings.Builder
	for line := range strings.SplitSeq(lines, "\n") {
		name, data, _ := strings.Cut(line, " ")
		text.WriteString(mockhttp.Event(name, data))
	}
	return text.String()
}

// client makes a client of the service.
func (s *secondService) client(t *testing.T, config Config) *Client {
	t.Helper()
	const uri = "http://flags.test"
	config.SDKKey, config.Events, config.Logger = "sdk-1", events.Off(), slog.New(slog.DiscardHandler)
	config.Endpoints = core.ServiceEndpoints{Streaming: uri, Polling: uri, Events: uri}
	config.HTTP.Transport = s.Client().Transport
	if config.DataSystem == nil {
		config.DataSystem = fdv2.Default(fdv2.StreamingOptions{}, fdv2.PollingOptions{})
	}
	client, err := New(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func value(client *Client, key string) string {
	synctest.Wait()
	return client.StringVariation(context.Background(), key, user, "default")
}

// One poll to begin with, and a stream from its state.
func TestClient_DataSystem_PollThenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSecondService(t, payload("a", 7, `"polled"`, "s1"), upToDate)
		client := s.client(t, Config{})
		require.Equal(t, "polled", value(client, "a"))
		require.True(t, client.Initialized(t.Context()))
		require.Equal(t, core.DataSourceValid, client.DataSourceStatus().Status().State)
		require.Equal(t, "basis=s1", s.Requests("/sdk/stream")[0].URL.RawQuery)

		var told flagtest.Collector[core.FlagChange]
		client.FlagTracker().AddFlagChangeListener(told.Listen)
		flagtest.TakeKeys(&told)
		s.Write(streamText(change("a", 3, `"streamed"`, "s2"))) // an older version, which does not matter
		require.Equal(t, "streamed", value(client, "a"))
		require.Equal(t, []string{"a"}, flagtest.TakeKeys(&told))
	})
}

// The database is read before there is data, and follows memory after that, if it may be written to. What becomes of it does not
// matter then.
func TestClient_DataSystem_StoreStartsItAndFollows(t *testing.T) {
	for _, cache := range []caching.Mode{caching.Off(), caching.TTL(time.Second), caching.Forever()} {
		for _, mode := range []core.DataStoreMode{core.DataStoreModeReadWrite, core.DataStoreModeReadOnly} {
			t.Run(fmt.Sprintf("%v, %v", cache, mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					db := &memorystore.Database{}
					other := memorystore.New(db, nil)
					fill(t, other, flagtest.Items(t, "a", flagtest.OnFlag("a", 100, `"earlier"`)))
					s := newSecondService(t, upToDate, upToDate)
					client := s.client(t, Config{Store: memorystore.New(db, nil), StoreMode: mode, Cache: caching.Options{Mode: cache}, StartWait: -1})
					require.Equal(t, "earlier", value(client, "a"))

					s.Write(streamText(payload("a", 1, `"streamed"`, "s1")))
					require.Equal(t, "streamed", value(client, "a"))
					time.Sleep(time.Second)
					require.Equal(t, mode == core.DataStoreModeReadWrite, version(t, other, "a") == 1)

					s.Write(streamText(change("a", 2, `"changed"`, "s2")))
					require.Equal(t, "changed", value(client, "a"))
					time.Sleep(time.Second)
					require.Equal(t, mode == core.DataStoreModeReadWrite, version(t, other, "a") == 2)

					fill(t, other, flagtest.Items(t, "b", flagtest.OnFlag("b", 1, `"foreign"`)))
					time.Sleep(time.Minute)
					require.Equal(t, "changed", value(client, "a"))
					require.Equal(t, "default", value(client, "b"))
				})
			})
		}
	}
}

// version returns the version of a flag in a database; 0 if there is none.
func version(t *testing.T, store core.FeatureStoreCore, key string) int {
	t.Helper()
	serialized, found, err := store.Get(t.Context(), core.Flags, key)
	require.NoError(t, err)
	if !found {
		return 0
	}
	item, err := serialized.Parse(core.Flags, key)
	require.NoError(t, err)
	return item.Version()
}

// The first protocol, if the service asks for it, without states and directives.
func TestClient_DataSystem_DirectiveToTheFirstProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSecondService(t, payload("a", 1, `"polled"`, "s1"), upToDate)
		directing := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-LD-FD-Fallback", "true")
			w.WriteHeader(http.StatusForbidden)
		}
		s.Next("/sdk/stream", directing)
		s.Next("/sdk/latest-all", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-LD-FD-Fallback", "true") // which is known already
			_, _ = fmt.Fprintf(w, `{"flags":{"a":%s},"segments":{}}`, flagtest.OnFlag("a", 1, `"classic"`))
		})
		client := s.client(t, Config{})
		require.Equal(t, "classic", value(client, "a"))
		require.Empty(t, s.Requests("/sdk/latest-all")[0].URL.RawQuery)
		time.Sleep(40 * time.Second)
		require.Len(t, s.Requests("/sdk/latest-all"), 2)
		require.Len(t, s.Requests("/sdk/stream"), 1)
	})
}

func TestClient_DataSystem_Files_AsInitializer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flags.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"flagValues":{"a":"from the file"}}`), 0o600))
	client, err := New(t.Context(), Config{SDKKey: "sdk-key", Events: events.Off(), DataSystem: &core.DataSystem{
		Initializers: []core.InitializerFactory{fdv2.ClassicInitializer(filedata.Source(filedata.Options{Paths: []string{file}}))},
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	require.Equal(t, "from the file", client.StringVariation(t.Context(), "a", user, "default"))
}

// An update of test data has taken effect when it returns, as with the classic protocol.
func TestClient_DataSystem_TestData_AsSynchronizer(t *testing.T) {
	source := testsource.New()
	client, err := New(t.Context(), Config{SDKKey: "sdk-key", Events: events.Off(), DataSystem: &core.DataSystem{
		Synchronizers: []core.SynchronizerFactory{fdv2.ClassicSynchronizer(source.Factory())},
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	for i := range 100 {
		source.Update(source.Flag("a").On(i%2 == 0))
		require.Equal(t, i%2 == 0, client.BoolVariation(t.Context(), "a", user, i%2 != 0))
	}
	source.DeleteFlag("a")
	require.True(t, client.BoolVariation(t.Context(), "a", user, true))
	require.False(t, client.BoolVariation(t.Context(), "a", user, false))
}

// That one source is refused does not end the wait for another one; that all are does.
func TestNew_DataSystem_WaitsUntilNoSourceIsLeft(t *testing.T) {
	for name, test := range map[string]struct {
		stream string // of the second source; empty if it is refused too
		want   string
		takes  time.Duration
	}{
		"the second delivers": {payload("a", 1, `"streamed"`, "s1"), "streamed", 3 * time.Second},
		"none is left":        {"", "default", 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSecondService(t, upToDate, test.stream)
				slow := func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(3 * time.Second)
					if test.stream == "" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					s.ServeStream(w, r, streamText(test.stream), 10)
				}
				s.Next("/sdk/stream", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, slow)
				began := time.Now()
				stream := fdv2.StreamingSynchronizer(fdv2.StreamingOptions{})
				client := s.client(t, Config{DataSystem: &core.DataSystem{Synchronizers: []core.SynchronizerFactory{stream, stream}}})
				require.Equal(t, test.takes, time.Since(began))
				require.Equal(t, test.want, value(client, "a"))
			})
		})
	}
}

func TestNew_DataSystem_ThatCannotBeUsed_IsInvalid(t *testing.T) {
	none := func(core.ClientSettings) (core.Synchronizer, error) { return nil, nil } //nolint:nilnil // what is tested
	for name, test := range map[string]struct {
		config Config
		want   string
	}{
		"no source":      {Config{DataSystem: &core.DataSystem{}}, "no source"},
		"two systems":    {Config{DataSystem: fdv2.Polling(fdv2.PollingOptions{}), DataSource: (&manualSource{}).factory}, "only one"},
		"daemon":         {Config{DataSystem: fdv2.Polling(fdv2.PollingOptions{}), Daemon: true, Store: memorystore.New(nil, nil)}, "only one"},
		"nil factory":    {Config{DataSystem: &core.DataSystem{Synchronizers: []core.SynchronizerFactory{nil}}}, "synchronizer 1"},
		"makes nothing":  {Config{DataSystem: &core.DataSystem{Synchronizers: []core.SynchronizerFactory{none}}}, "made nothing"},
		"wrong options":  {Config{DataSystem: fdv2.Polling(fdv2.PollingOptions{Interval: -1})}, "Interval"},
		"wrong base URI": {Config{DataSystem: fdv2.Streaming(fdv2.StreamingOptions{BaseURI: "ftp://s3cr3t@x"}, fdv2.PollingOptions{})}, "synchronizer 1"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.SDKKey, test.config.Logger = "sdk-1", slog.New(slog.DiscardHandler)
			client, err := New(t.Context(), test.config)
			require.Nil(t, client)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "s3cr3t")
		})
	}
}
