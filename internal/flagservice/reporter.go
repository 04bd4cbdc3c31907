package flagservice

import (
	"context"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/core"
)

// Reporter tells the sink and the log how a data source fares. Every error reaches the sink, but the log only what is
// new. It is not safe for concurrent use.
type Reporter struct {
	Sink   core.DataSourceUpdateSink
	Logger *slog.Logger
	// What names the data source in the log.
	What string

	worked bool // once at least

	last core.DataSourceErrorInfo // what was logged last; the zero value while all is well
}

// Failed reports an error and when the data source tries again.
func (r *Reporter) Failed(ctx context.Context, err error, retryIn time.Duration) {
	info := Describe(err)
	level := slog.LevelDebug
	if info.Kind != r.last.Kind || info.HTTPStatus != r.last.HTTPStatus {
		r.last, level = info, slog.LevelWarn
		if Unexpected(err) {
			level = slog.LevelError
		}
	}
	meanwhile := "; it has brought no data yet"
	if r.worked {
		meanwhile = "; the last data stays in use"
	}
	r.Logger.Log(ctx, level, "cleat: "+r.What+" is interrupted"+meanwhile,
		"error", info.Message, "retry_in", retryIn.Round(time.Millisecond))
	r.Sink.UpdateStatus(core.DataSourceInterrupted, info)
}

// Waits reports that data should have come and has not, while the data source goes on waiting for it.
func (r *Reporter) Waits(ctx context.Context, err error) {
	info := Describe(err)
	if r.last == (core.DataSourceErrorInfo{}) {
		r.last = info
		r.Logger.WarnContext(ctx, "cleat: "+r.What+" brings nothing", "error", info.Message)
	}
	r.Sink.UpdateStatus(core.DataSourceInterrupted, info)
}

// Works reports that what was delivered last is current.
func (r *Reporter) Works(ctx context.Context) {
	r.worked = true
	if r.last != (core.DataSourceErrorInfo{}) {
		r.last = core.DataSourceErrorInfo{}
		r.Logger.InfoContext(ctx, "cleat: "+r.What+" works again")
	}
	r.Sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{})
}
