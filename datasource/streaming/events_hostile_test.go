package streaming_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestSource_Event_TooLarge(t *testing.T) {
	for name, beginning := range map[string]string{
		"a line that never ends":  "data: ",
		"an event without an end": "data: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.options.MaxEventSize = 100_000
				r.Service.Next(mockservice.StreamPath, endless(beginning))
				r.start()
				r.RequireInterrupted(core.DataSourceErrorInvalidData)
				r.AwaitRequests(2)
				r.RequireState(core.DataSourceValid)
			})
		})
	}
}

// endless repeats a text until the reader stops.
func endless(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", sse)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat(text, 100)); err != nil {
				return
			}
		}
	}
}

func TestSource_Redirect_StaysWithinTheOrigin(t *testing.T) {
	for target, followed := range map[string]bool{
		"/elsewhere":                     true,
		mockservice.URL + "/elsewhere":   true,
		mockservice.URL + ":1/elsewhere": false,
		"http://evil.test/elsewhere":     false,
		"http://evilflags.te/elsewhere":  false,
	} {
		t.Run(target, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.adapt = func(settings *core.ClientSettings) { settings.Headers = http.Header{"X-Gateway-Token": {"token"}} }
				r.Service.Next(mockservice.StreamPath, func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, target, http.StatusTemporaryRedirect)
				})
				r.start()
				redirected := r.Service.Requests("/elsewhere")
				if !followed {
					require.Empty(t, redirected)
					r.RequireInterrupted(core.DataSourceErrorNetwork, "another scheme, host or port")
					return
				}
				require.Len(t, redirected, 1)
				require.Equal(t, mockservice.SDKKey, redirected[0].Header.Get("Authorization"))
				require.Equal(t, "token", redirected[0].Header.Get("X-Gateway-Token"))
				require.Equal(t, 404, r.RequireInterrupted(core.DataSourceErrorResponse).HTTPStatus)
			})
		})
	}
}

func TestSource_Log_OncePerTransitionAndWithoutSecrets(t *testing.T) {
	inBubble(t, func(r *rig) {
		var log strings.Builder
		r.adapt = func(settings *core.ClientSettings) { settings.Logger = slog.New(slog.NewTextHandler(&log, nil)) }
		for range 5 {
			r.Service.Next(mockservice.StreamPath, respond(503))
		}
		r.Service.Next(mockservice.StreamPath, respond(401), respond(401))
		r.start()
		r.AwaitRequests(8)
		r.Stop()
		require.Equal(t, 1, strings.Count(log.String(), "answered 503"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
		require.Contains(t, log.String(), "check the SDK key")
		require.Equal(t, 1, strings.Count(log.String(), "works again"))
		require.NotContains(t, log.String(), mockservice.SDKKey)
		require.NotContains(t, log.String(), "http://")
		r.Source = nil
	})
}

func TestSource_Put_Large(t *testing.T) {
	service, sink := mockservice.New(t), mockservice.NewSink()
	const flags = 200
	var data strings.Builder
	data.WriteString(`{"flags":{`)
	for i := range flags {
		comma := map[bool]string{true: "", false: ","}[i == 0]
		_, _ = fmt.Fprintf(&data, `%s"f%d":{"key":"f%d","version":1,"variations":["%s"]}`, comma, i, i, strings.Repeat("v", largePut/flags))
	}
	data.WriteString(`},"segments":{}}`)
	require.Greater(t, data.Len(), largePut)
	service.SetData(data.String())

	source := newSource(t, service, sink)
	source.Start(t.Context())
	require.Eventually(t, source.Initialized, time.Minute, 10*time.Millisecond)
	require.Len(t, sink.Items(), flags)
	source.Stop()
	<-source.Done()
}
