package cleat

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

var lost = core.DataSourceErrorInfo{Kind: core.DataSourceErrorNetwork, Message: "no route"}

// newSilentClient returns a client whose data source has delivered nothing.
func newSilentClient(t *testing.T, config Config) (*Client, *manualSource) {
	t.Helper()
	config.StartWait = -1
	return newTestClientWith(t, nil, config)
}

// The one line in the log says why there is no data, and what is used in its place.
func TestNew_NoData_WarnsOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		store bool
		state core.DataSourceState // reported while New waits
		end   time.Duration        // of the context
		wants []string
	}{
		"time-out, in memory": {wants: []string{
			`reason="nothing has come within 5s"`, "state=initializing", `used_instead="default values"`,
		}},
		"time-out, with a store": {store: true, wants: []string{`used_instead="what the store has, and default`}},
		"failed":                 {state: core.DataSourceOff, wants: []string{`reason="the data source has failed"`, "state=off", "no route"}},
		"interrupted":            {state: core.DataSourceInterrupted, wants: []string{"within 5s", "state=initializing", "no route"}},
		"context":                {end: time.Second, wants: []string{`reason="context deadline exceeded"`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				if tc.end != 0 {
					ctx, cancel = context.WithTimeout(t.Context(), tc.end)
				}
				defer cancel()
				source := &manualSource{}
				var log bytes.Buffer
				config := Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
				config.DataSource = func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
					if tc.state != "" {
						time.AfterFunc(time.Second, func() { sink.UpdateStatus(tc.state, lost) })
					}
					return source.factory(settings, sink)
				}
				if tc.store {
					config.Store = memorystore.New(nil, nil)
				}
				client, err := New(ctx, config)
				require.NoError(t, err)
				require.NoError(t, client.Close())
				require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
				for _, want := range append(tc.wants, "level=WARN", "starting without data from the data source") {
					require.Contains(t, log.String(), want)
				}
			})
		})
	}
}

func TestNew_Data_WarnsOfNothing(t *testing.T) {
	for _, config := range []Config{
		{DataSource: (&manualSource{first: flagtest.Items(t)}).factory},
		{DataSource: (&manualSource{}).factory, StartWait: -1}, // who does not wait knows that there may be no data
		{Daemon: true, Store: filledStore(t, flagtest.Items(t))},
		{Offline: true},
	} {
		var log bytes.Buffer
		config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		client, err := New(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, client.Close())
		require.Empty(t, log.String())
	}
}

func TestClient_WaitFor_StateComesLater_ReturnsThen(t *testing.T) {
	for _, state := range []core.DataSourceState{core.DataSourceValid, core.DataSourceInterrupted, core.DataSourceOff} {
		t.Run(string(state), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, source := newSilentClient(t, Config{})
				began := time.Now()
				time.AfterFunc(time.Hour, func() {
					source.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
					source.sink.UpdateStatus(core.DataSourceInterrupted, lost) // a state that is over at once counts
					source.sink.UpdateStatus(core.DataSourceOff, lost)
				})
				require.NoError(t, client.WaitFor(t.Context(), state))
				require.Equal(t, time.Hour, time.Since(began))
			})
		})
	}
}

// What is so already counts, also for a caller whose time is up.
func TestClient_WaitFor_StateIsThere_ReturnsAtOnce(t *testing.T) {
	client, source := newTestClient(t, flagtest.Items(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		require.NoError(t, client.WaitFor(ctx, core.DataSourceValid))
	}
	source.sink.UpdateStatus(core.DataSourceInterrupted, lost)
	require.NoError(t, client.WaitFor(ctx, core.DataSourceInterrupted))
	source.sink.UpdateStatus(core.DataSourceOff, lost)
	require.NoError(t, client.WaitFor(ctx, core.DataSourceOff))
}

func TestClient_WaitFor_ContextEnds_SaysWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, source := newSilentClient(t, Config{})
		for _, lastError := range []string{"none", "network_error: no route"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := client.WaitFor(ctx, core.DataSourceValid)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "the data source is initializing and not valid, last error: "+lastError+":")
			source.sink.UpdateStatus(core.DataSourceInterrupted, lost)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		require.ErrorIs(t, client.WaitFor(ctx, core.DataSourceOff), context.Canceled)
	})
}

func TestClient_WaitFor_StateWillNotCome_ReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, source := newSilentClient(t, Config{})
		time.AfterFunc(time.Minute, func() { source.sink.UpdateStatus(core.DataSourceOff, lost) })
		began := time.Now()
		for range 2 { // while it waits, and afterwards
			require.EqualError(t, client.WaitFor(t.Context(), core.DataSourceValid),
				"cleat: the data source is off and will not be valid, last error: network_error: no route")
		}
		require.Equal(t, time.Minute, time.Since(began))
	})
}

func TestClient_WaitFor_ClientIsClosed_ReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newSilentClient(t, Config{})
		time.AfterFunc(time.Minute, func() { _ = client.Close() })
		for range 2 { // while it waits, and afterwards
			require.EqualError(t, client.WaitFor(t.Context(), core.DataSourceInterrupted),
				"cleat: the data source will not be interrupted, because the client is closed")
		}
		require.NoError(t, client.WaitFor(t.Context(), core.DataSourceOff))
	})
}

func TestClient_WaitFor_NoDataSource_IsValid(t *testing.T) {
	for _, config := range []Config{{Daemon: true, Store: memorystore.New(nil, nil)}, {Offline: true}} {
		client, err := New(t.Context(), config)
		require.NoError(t, err)
		require.NoError(t, client.WaitFor(t.Context(), core.DataSourceValid))
		require.NoError(t, client.Close())
	}
}

func TestClient_WaitFor_InvalidArguments(t *testing.T) {
	client, _ := newSilentClient(t, Config{})
	require.ErrorIs(t, client.WaitFor(nil, core.DataSourceValid), core.ErrInvalid)
	for _, state := range []core.DataSourceState{core.DataSourceInitializing, "", "VALID"} {
		require.ErrorIs(t, client.WaitFor(t.Context(), state), core.ErrInvalid)
	}
}

// A data source that says it is valid and has not delivered anything is waited for all the same.
func TestNew_SourceIsValidWithoutData_IsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &manualSource{}
		began := time.Now()
		client, err := New(t.Context(), Config{
			Logger: slog.New(slog.DiscardHandler), StartWait: time.Minute,
			DataSource: func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
				sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
				return source.factory(settings, sink)
			},
		})
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, client.Close())
	})
}

// A client in daemon mode says once that there is nothing to read, whatever the reason.
func TestNew_DaemonMode_NothingInTheStore_WarnsOnce(t *testing.T) {
	for name, test := range map[string]struct {
		prefix string // of a database in which the empty prefix is filled
		lines  int
	}{
		"filled":       {"", 0},
		"other prefix": {"typo", 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := &memorystore.Database{}
				fill(t, memorystore.New(db, nil), flagtest.Items(t, "a", flagtest.OnFlag("a", 1, "1")))
				var log bytes.Buffer
				client, err := New(t.Context(), Config{
					Daemon: true, Store: memorystore.New(db, &memorystore.Options{Prefix: test.prefix}), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
				})
				require.NoError(t, err)
				for range 3 {
					client.BoolVariation(t.Context(), "a", user, false)
					time.Sleep(time.Minute)
				}
				require.NoError(t, client.Close())
				require.Equal(t, test.lines, strings.Count(log.String(), "the store has no flags"), log.String())
			})
		})
	}
}
