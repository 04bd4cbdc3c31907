package events_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

// follow is the policy of an HTTP client that follows every redirect.
func follow(*http.Request, []*http.Request) error { return nil }

// deliverTo sends an event to a server and returns what is logged.
func deliverTo(t *testing.T, server *httptest.Server, settings core.ClientSettings) *log {
	output := &log{}
	settings.Logger = output.logger()
	settings.Endpoints.Events = server.URL
	settings.HTTPClient = server.Client() // it accepts the server's certificate
	settings.HTTPClient.CheckRedirect = follow
	processor := newProcessorWith(t, settings, events.Options{})
	processor.Send(identify("a"))
	closeWithin(t, processor, patient)
	return output
}

func TestProcessor_Flush_RedirectIsNotFollowed(t *testing.T) {
	for name, start := range map[string]func(*httptest.Server){
		"from https to http": (*httptest.Server).StartTLS,
		"to another host":    (*httptest.Server).Start,
	} {
		for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
			t.Run(name+", "+http.StatusText(status), func(t *testing.T) {
				elsewhere := newService(t)
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
					http.Redirect(w, request, elsewhere.URL+request.URL.Path, status)
				}))
				server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
				start(server)
				t.Cleanup(server.Close)
				output := deliverTo(t, server, elsewhere.settings(t))
				require.Empty(t, elsewhere.posts)
				require.Empty(t, elsewhere.diagnostics)
				require.Contains(t, output.String(), "events cannot be delivered")
				require.NotContains(t, output.String(), sdkKey)
			})
		}
	}
}
