package streaming_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockservice"
)

// dripping opens a stream and writes the text every second, which may be empty, until it has done so often enough; then comes
// the rest.
func dripping(text string, times int, rest string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", sse)
		w.WriteHeader(http.StatusOK)
		for i := 0; r.Context().Err() == nil; i++ {
			if i == times {
				text, rest = rest, ""
			} else if i > times {
				text = ""
			}
			_, _ = w.Write([]byte(text))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
			}
		}
	}
}

// logText is a log that is read while it is written.
type logText struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// A proxy that buffers, and one that keeps a connection alive whose server is gone, look like a stream that works.
func TestSource_Stream_WithoutDataShowsAfterSeconds(t *testing.T) {
	for name, text := range map[string]string{"headers and nothing": "", "only comments": ":\n", "empty lines": "\n"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				var output logText
				r.adapt = func(settings *core.ClientSettings) { settings.Logger = slog.New(slog.NewTextHandler(&output, nil)) }
				put := "event: put\ndata: {\"path\":\"/\",\"data\":" + flagData(1) + "}\n\n"
				r.Service.Next(mockservice.StreamPath, dripping(text, 20, put))
				r.start()
				pass(4 * time.Second)
				require.Empty(t, r.Sink.Reports())
				pass(2 * time.Second)
				r.RequireInterrupted(core.DataSourceErrorNetwork, "no data for 5s", "proxy")
				require.Equal(t, 1, strings.Count(output.String(), "level=WARN"), output.String())
				pass(20 * time.Second)
				r.RequireState(core.DataSourceValid)
				r.RequireFlag("a", flag("a", 1))
				require.Equal(t, 1, r.connections(), "the connection is kept")
				require.Contains(t, output.String(), "works again")
			})
		})
	}
}

// A large environment on a slow line takes its time.
func TestSource_Stream_WhoseDataIsComingIsNotReported(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.Next(mockservice.StreamPath, dripping("event: put\n", 20, ""))
		r.start()
		pass(15 * time.Second)
		require.Empty(t, r.Sink.Reports())
	})
}

func TestSource_Stream_SilentAfterItsDataIsNotReported(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		pass(time.Minute)
		synctest.Wait()
		require.Equal(t, []mockservice.Report{{State: core.DataSourceValid}}, r.Sink.Reports())
	})
}
