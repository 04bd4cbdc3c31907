package streaming

import (
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

// attempt records how an attempt to connect ends. It is safe for concurrent use.
type attempt struct {
	recorder core.StreamInitRecorder // nil if they are not counted
	began    time.Time
	once     sync.Once
}

func newAttempt(recorder core.StreamInitRecorder) *attempt {
	return &attempt{recorder: recorder, began: time.Now()}
}

func (a *attempt) succeeded() { a.record(false) }

// failed has no effect on an attempt that has succeeded.
func (a *attempt) failed() { a.record(true) }

func (a *attempt) record(failed bool) {
	a.once.Do(func() {
		if a.recorder != nil {
			a.recorder.RecordStreamInit(a.began, time.Since(a.began), failed)
		}
	})
}
