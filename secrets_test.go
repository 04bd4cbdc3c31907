package cleat

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/secrettest"
	"github.com/cleatdev/cleat/memorystore"
)

// secretConfig generates configurations with secrets wherever there may be any. Nothing answers them.
func secretConfig(log *secrettest.Log) *rapid.Generator[Config] {
	return rapid.Custom(func(t *rapid.T) Config {
		good := rapid.Bool().Draw(t, "good") // then a client comes of it
		uri := func(name string) string {
			if good || rapid.Bool().Draw(t, name+" is good") {
				return "http://u:qZxkWvbTj@127.0.0.1:1"
			}
			return secrettest.URL("http", "https").Filter(notEmpty).Draw(t, name)
		}
		config := Config{
			SDKKey:    secrettest.Secret().Draw(t, "key"),
			Endpoints: core.ServiceEndpoints{Streaming: uri("streaming"), Polling: uri("polling"), Events: uri("events")},
			HTTP:      HTTPOptions{Header: http.Header{"X-Token": {secrettest.Secret().Draw(t, "header")}}, ConnectTimeout: time.Second},
			StartWait: -1,
			Logger:    log.Logger(),
			Events:    events.Processor(events.Options{RetryDelay: time.Millisecond, RequestTimeout: time.Second}),
		}
		if good {
			config.SDKKey, config.HTTP.Header = "qZxkWvbTj-hMfrGpdYc", http.Header{"X-Token": {"Bearer hMfrGpdYc"}}
		}
		switch choice := rapid.IntRange(0, 3).Draw(t, "proxy"); {
		case choice == 0 && !good:
			config.HTTP.ProxyURL = secrettest.URL("http", "https", "socks5").Draw(t, "url")
		case choice == 1:
			config.HTTP.ProxyURL = "socks5://u:qZxkWvbTj@127.0.0.1:1"
		case choice == 2 && !good:
			config.HTTP.Header[secrettest.Secret().Draw(t, "name")] = []string{"x"}
		}
		config.DataSource = streaming.Source(streaming.Options{InitialRetryDelay: time.Millisecond})
		if rapid.Bool().Draw(t, "polls") {
			config.DataSource = polling.Source(polling.Options{})
		}
		return config
	})
}

// notEmpty is for URIs, which when empty mean those of the public service.
func notEmpty(text string) bool { return text != "" }

// Neither what a client says of a configuration, nor what it logs and tells while nothing works, nor its own printed form
// shows a secret.
func TestClient_AnyConfig_ShowsNoSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log secrettest.Log
		config := secretConfig(&log).Draw(t, "config")
		shown := append(secrettest.Renderings(config), secrettest.Renderings(config.HTTP)...)
		shown = append(shown, secrettest.Renderings(config.Endpoints)...)
		client, err := New(t.Context(), config)
		shown = append(shown, secrettest.Chain(err)...)
		if client != nil {
			shown = append(shown, useSecretly(t, client)...)
		}
		if text, word := secrettest.Found(append(shown, log.Take())...); word != "" {
			t.Fatalf("%q shows %s", text, word)
		}
	})
}

// useSecretly uses a client whose service is away, and returns what it shows.
func useSecretly(t *rapid.T, client *Client) (shown []string) {
	require.NoError(t, client.Track(t.Context(), "event", user))
	for deadline := time.Now().Add(20 * time.Second); client.DataSourceStatus().Status().LastError.Message == ""; {
		require.Less(t, time.Now(), deadline)
		time.Sleep(time.Millisecond)
	}
	shown = append(secrettest.Renderings(client), secrettest.Renderings(client.DataSourceStatus().Status())...)
	shown = append(shown, secrettest.Renderings(client.DataStoreStatus().Status())...)
	require.NoError(t, client.Close())
	return shown
}

func TestSynchronizer_AnySettings_ShowsNoSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log secrettest.Log
		store := memorystore.NewBigSegments(nil, nil)
		settings := core.ClientSettings{
			SDKKey: secrettest.Secret().Draw(t, "key"), Logger: log.Logger(),
			Headers: http.Header{"X-Token": {secrettest.Secret().Draw(t, "header")}},
			Endpoints: core.ServiceEndpoints{
				Streaming: "http://u:qZxkWvbTj@127.0.0.1:1",
				Polling:   rapid.OneOf(rapid.Just("http://u:qZxkWvbTj@127.0.0.1:1"), secrettest.URL("http", "https").Filter(notEmpty)).Draw(t, "polling"),
			},
		}
		shown := secrettest.Renderings(settings)
		s, err := synchronizer.New(settings, store, nil)
		shown = append(shown, secrettest.Chain(err)...)
		if err == nil {
			s.Start(t.Context())
			for deadline := time.Now().Add(20 * time.Second); s.Status().LastError.Message == ""; {
				require.Less(t, time.Now(), deadline)
				time.Sleep(time.Millisecond)
			}
			shown = append(shown, secrettest.Renderings(s.Status())...)
			s.Stop()
			<-s.Done()
			shown = append(shown, secrettest.Renderings(s)...)
		}
		require.NoError(t, store.Close())
		if text, word := secrettest.Found(append(shown, log.Take())...); word != "" {
			t.Fatalf("%q shows %s", text, word)
		}
	})
}
