package synchronizer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/broadcast"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// reporter knows the status of a synchroniser and tells listeners and the log of it.
type reporter struct {
	logger    *slog.Logger
	listeners *broadcast.Broadcaster[core.DataSourceStatus]

	mu     sync.Mutex // guards what follows and the order of changes
	status core.DataSourceStatus
	logged core.DataSourceErrorInfo // the zero value while all is well
	lacks  core.DataSourceErrorInfo // what the store lacks although all is well; the zero value means nothing
}

func newReporter(logger *slog.Logger) *reporter {
	return &reporter{
		logger:    logger,
		listeners: broadcast.New[core.DataSourceStatus](logger),
		status:    core.DataSourceStatus{State: core.DataSourceInitializing, StateSince: time.Now()},
	}
}

func (r *reporter) get() core.DataSourceStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// incomplete reports what the store lacks, which is no reason to try again; an empty message means that it lacks nothing.
func (r *reporter) incomplete(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.status
	if r.status.LastError == r.lacks {
		r.status.LastError = core.DataSourceErrorInfo{}
	}
	r.lacks = core.DataSourceErrorInfo{}
	if message != "" {
		r.lacks = core.DataSourceErrorInfo{Kind: core.DataSourceErrorStore, Message: message, Time: time.Now()}
		r.status.LastError = r.lacks
	}
	if r.status != before && r.status.State != core.DataSourceOff {
		r.listeners.Publish(r.status)
	}
}

// works reports that the store is up to date.
func (r *reporter) works(ctx context.Context) {
	if r.update(core.DataSourceValid, core.DataSourceErrorInfo{}) {
		r.logger.InfoContext(ctx, "cleat: big segments are synchronised")
	}
}

// failed reports an error, and when there will be another attempt.
func (r *reporter) failed(ctx context.Context, err error, retryIn time.Duration) {
	info := describe(err, time.Now())
	level := slog.LevelDebug
	if r.update(core.DataSourceInterrupted, info) {
		level = slog.LevelError
	}
	r.logger.Log(ctx, level, "cleat: big segments are not synchronised",
		"error", info.Message, "retry_in", retryIn.Round(time.Millisecond))
}

// off reports the end.
func (r *reporter) off() {
	r.update(core.DataSourceOff, core.DataSourceErrorInfo{})
}

// update reports whether the log has to know.
func (r *reporter) update(state core.DataSourceState, info core.DataSourceErrorInfo) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State == core.DataSourceOff {
		return false
	}
	if state == core.DataSourceInterrupted && r.status.State == core.DataSourceInitializing {
		state = core.DataSourceInitializing
	}
	before := r.status
	if state != before.State {
		r.status.State, r.status.StateSince = state, time.Now()
	}
	switch {
	case info.Kind != "":
		r.status.LastError = info
	case state == core.DataSourceValid && r.lacks.Kind != "":
		r.status.LastError = r.lacks
	}
	if r.status != before {
		r.listeners.Publish(r.status)
	}
	if info.Kind == "" {
		r.logged = core.DataSourceErrorInfo{}
		return before.State != state
	}
	news = info.Kind != r.logged.Kind || info.HTTPStatus != r.logged.HTTPStatus
	r.logged = info
	return news
}

// describe returns what the status says of an error.
func describe(err error, now time.Time) core.DataSourceErrorInfo {
	info := flagservice.Describe(err)
	info.Time = now
	if _, ok := errors.AsType[*storeError](err); ok {
		info.Kind, info.HTTPStatus = core.DataSourceErrorStore, 0
	}
	return info
}
