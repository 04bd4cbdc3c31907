package flagservice

import (
	"context"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// Attempt records how an attempt to open a stream ends. It is safe for concurrent use.
type Attempt struct {
	recorder core.StreamInitRecorder // nil if they are not counted
	began    time.Time
	once     sync.Once
}

// NewAttempt returns an attempt that begins now. A nil recorder counts none.
func NewAttempt(recorder core.StreamInitRecorder) *Attempt {
	return &Attempt{recorder: recorder, began: time.Now()}
}

// Succeeded records that the first byte has arrived.
func (a *Attempt) Succeeded() { a.record(false) }

// Failed records a failure, unless the attempt has succeeded or was stopped because ctx has ended.
func (a *Attempt) Failed(ctx context.Context) {
	if ctx.Err() == nil {
		a.record(true)
	}
}

func (a *Attempt) record(failed bool) {
	a.once.Do(func() {
		if a.recorder != nil {
			a.recorder.RecordStreamInit(a.began, time.Since(a.began), failed)
		}
	})
}
