package ldlogbridge_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/ldlogbridge"
)

func newLogger(level slog.Leveler) (*slog.Logger, *bytes.Buffer) {
	var output bytes.Buffer
	return slog.New(slog.NewTextHandler(&output, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, attr slog.Attr) slog.Attr {
			if attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		},
	})), &output
}

func TestNew_MessagesKeepTheirLevel(t *testing.T) {
	logger, output := newLogger(slog.LevelDebug)
	loggers := ldlogbridge.New(logger, "lib: ")
	loggers.Debugf("a %d", 1)
	loggers.Info("b", 2)
	loggers.Warnf("WARN: c %s", "x\n")
	loggers.Error("d")
	loggers.ForLevel(ldlog.Warn).Println("100% sure")
	require.Equal(t, `level=DEBUG msg="lib: a 1"
level=INFO msg="lib: b 2"
level=WARN msg="lib: WARN: c x"
level=ERROR msg="lib: d"
level=WARN msg="lib: 100% sure"
`, output.String())
}

func TestNew_LevelOfTheLoggerDecides(t *testing.T) {
	var level slog.LevelVar
	level.Set(slog.LevelWarn)
	logger, output := newLogger(&level)
	loggers := ldlogbridge.New(logger, "")
	loggers.Info("no")
	loggers.Infof("no")
	require.Empty(t, output.String())
	level.Set(slog.LevelInfo)
	loggers.Info("yes")
	require.Contains(t, output.String(), "yes")
}
