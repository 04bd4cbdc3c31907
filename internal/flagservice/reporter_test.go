package flagservice

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestReporter_Failed_SpeaksOfDataOnlyIfThereWasAny(t *testing.T) {
	var log bytes.Buffer
	reporter := Reporter{Sink: mockservice.NewSink(), Logger: slog.New(slog.NewTextHandler(&log, nil)), What: "the stream"}
	reporter.Failed(t.Context(), errors.New("x"), time.Second)
	require.Contains(t, log.String(), "the stream is interrupted; it has brought no data yet")
	require.NotContains(t, log.String(), "stays in use")
	reporter.Works(t.Context())
	log.Reset()
	reporter.Failed(t.Context(), errors.New("x"), time.Second)
	require.Contains(t, log.String(), "the stream is interrupted; the last data stays in use")
}
