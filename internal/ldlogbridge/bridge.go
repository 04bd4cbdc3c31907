// Package ldlogbridge lets libraries that log through go-sdk-common's ldlog write to a [slog.Logger].
package ldlogbridge

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/launchdarkly/go-sdk-common/v3/ldlog"
)

// New returns loggers that write to logger, each message after the prefix and at the level that it has. The level of
// logger decides at each message what is written.
func New(logger *slog.Logger, prefix string) ldlog.Loggers {
	var loggers ldlog.Loggers
	loggers.SetMinLevel(ldlog.Debug)
	for level, to := range map[ldlog.LogLevel]slog.Level{
		ldlog.Debug: slog.LevelDebug,
		ldlog.Info:  slog.LevelInfo,
		ldlog.Warn:  slog.LevelWarn,
		ldlog.Error: slog.LevelError,
	} {
		loggers.SetBaseLoggerForLevel(level, &writer{logger: logger, level: to, name: strings.ToUpper(level.Name()) + ":", prefix: prefix})
	}
	return loggers
}

// writer writes the messages of one level.
type writer struct {
	logger *slog.Logger
	level  slog.Level
	name   string // what ldlog puts before each message: the level, as text
	prefix string
}

var _ ldlog.BaseLogger = (*writer)(nil)

// Println implements [ldlog.BaseLogger].
func (w *writer) Println(values ...any) {
	if w.logger.Enabled(context.Background(), w.level) {
		w.write(fmt.Sprintln(values...))
	}
}

// Printf implements [ldlog.BaseLogger].
func (w *writer) Printf(format string, values ...any) {
	if w.logger.Enabled(context.Background(), w.level) {
		w.write(fmt.Sprintf(format, values...))
	}
}

func (w *writer) write(message string) {
	message = strings.TrimSpace(strings.TrimPrefix(message, w.name))
	w.logger.Log(context.Background(), w.level, w.prefix+message)
}
