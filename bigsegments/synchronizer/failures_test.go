package synchronizer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func truncate(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte(`[{"segmentId":"a.g1",`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// recorder is a listener.
type recorder struct {
	mu     sync.Mutex
	values []core.DataSourceStatus
}

func (r *recorder) listen(status core.DataSourceStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = append(r.values, status)
}

func (r *recorder) states() (states []core.DataSourceState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, value := range r.values {
		states = append(states, value.State)
	}
	return states
}

// Errors that may heal are repeated after up to 30 seconds, others after minutes; the log gets one message, and one when all
// is well again.
func TestSynchronizer_Retries(t *testing.T) {
	const hour = time.Hour
	for name, test := range map[string]struct {
		handler     http.HandlerFunc
		kind        core.DataSourceErrorKind
		least, most int // requests in an hour
	}{
		"400":       {status(400), core.DataSourceErrorResponse, 120, 260},
		"408":       {status(408), core.DataSourceErrorResponse, 120, 260},
		"429":       {status(429), core.DataSourceErrorResponse, 120, 260},
		"500":       {status(500), core.DataSourceErrorResponse, 120, 260},
		"503":       {status(503), core.DataSourceErrorResponse, 120, 260},
		"204":       {status(204), core.DataSourceErrorResponse, 120, 260},
		"401":       {status(401), core.DataSourceErrorResponse, 12, 25},
		"403":       {status(403), core.DataSourceErrorResponse, 12, 25},
		"404":       {status(404), core.DataSourceErrorResponse, 12, 25},
		"aborted":   {abort, core.DataSourceErrorNetwork, 120, 260},
		"truncated": {truncate, core.DataSourceErrorNetwork, 120, 260},
		"hanging":   {hang, core.DataSourceErrorNetwork, 60, 80},
		"HTML":      {text("<html></html>"), core.DataSourceErrorInvalidData, 120, 260},
		"empty":     {text(""), core.DataSourceErrorInvalidData, 120, 260},
		"null":      {text("null"), core.DataSourceErrorInvalidData, 120, 260},
		"object":    {text("{}"), core.DataSourceErrorInvalidData, 120, 260},
		"more":      {text("[] []"), core.DataSourceErrorInvalidData, 120, 260},
		"not UTF-8": {text("[{\"segmentId\":\"a.g1\",\"version\":\"1\",\"changes\":{\"included\":{\"add\":[\"h\xff\"]}}}]"),
			core.DataSourceErrorInvalidData, 120, 260},
		"incomplete": {text(`[{"version":"1","previousVersion":""}]`),
			core.DataSourceErrorInvalidData, 120, 260},
		"unconnected": {text(`[{"segmentId":"a.g1","version":"2","previousVersion":"1"}]`),
			core.DataSourceErrorInvalidData, 120, 260},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				for range 300 {
					r.service.Next(mockbigsegments.PollPath, test.handler)
				}
				r.start(synchronizer.Options{})
				time.Sleep(hour)
				r.requireState(core.DataSourceInitializing)
				require.Equal(t, test.kind, r.Status().LastError.Kind)
				if code, err := strconv.Atoi(name); err == nil {
					require.Equal(t, code, r.Status().LastError.HTTPStatus)
				}
				require.GreaterOrEqual(t, r.polls(), test.least)
				require.LessOrEqual(t, r.polls(), test.most)
				require.Zero(t, r.streams())
				require.Empty(t, r.store.marked())
				require.Equal(t, 1, r.log.count(slog.LevelError))
				require.NotContains(t, r.log.text(), mockbigsegments.SDKKey)
				require.Empty(t, r.store.patches)
			})
		})
	}
}

func TestSynchronizer_RecoversAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for range 10 {
			r.service.Next(mockbigsegments.PollPath, status(503))
		}
		var seen recorder
		r.Synchronizer = r.make(r.store, synchronizer.Options{})
		r.AddListener(seen.listen)
		r.Start(t.Context())
		defer stop(r.Synchronizer)
		time.Sleep(4 * time.Minute)
		r.requireState(core.DataSourceValid)
		require.Equal(t, 503, r.Status().LastError.HTTPStatus, "the last error stays")
		require.Equal(t, 1, r.log.count(slog.LevelError))
		require.Equal(t, 1, r.log.count(slog.LevelInfo))

		r.service.Disconnect()
		synctest.Wait()
		r.requireState(core.DataSourceInterrupted)
		require.Equal(t, core.DataSourceErrorNetwork, r.Status().LastError.Kind)
		time.Sleep(time.Second)
		r.requireState(core.DataSourceValid)
		require.Equal(t, core.DataSourceValid, seen.states()[len(seen.states())-1])
	})
}

// A rejected key that was accepted in the end has no effect on what happens later.
func TestSynchronizer_LongDelayIsForgottenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.service.Next(mockbigsegments.PollPath, status(401))
		r.start(synchronizer.Options{})
		time.Sleep(2 * time.Minute)
		r.requireState(core.DataSourceInitializing)
		for r.Status().State != core.DataSourceValid {
			time.Sleep(time.Second)
		}
		r.service.Disconnect()
		synctest.Wait()
		r.requireState(core.DataSourceInterrupted)
		time.Sleep(time.Second)
		r.requireState(core.DataSourceValid)
	})
}

func TestSynchronizer_StreamFails(t *testing.T) {
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		within  time.Duration
	}{
		"500":     {status(500), time.Second},
		"aborted": {abort, time.Second},
		"closed":  {text(""), time.Second},
		"hanging": {hang, 31 * time.Second},
		"404":     {status(404), 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.service.Next(mockbigsegments.StreamPath, test.handler)
				r.start(synchronizer.Options{})
				synctest.Wait()
				time.Sleep(test.within + time.Millisecond)
				r.requireState(core.DataSourceValid)
				require.Equal(t, 2, r.streams())
				require.Equal(t, 1, r.service.Streams())
			})
		})
	}
}

func TestSynchronizer_StreamBreaksInTheMiddleOfAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		synctest.Wait()
		whole := mockbigsegments.Text(mockbigsegments.Patch{SegmentID: "a.g1", Version: "rev-1"})
		r.service.Write("data: " + whole[:len(whole)/2])
		r.service.Disconnect()
		synctest.Wait()
		require.Empty(t, r.store.patches)
		r.service.PublishUnseen(includes("a.g1", "h1"))
		time.Sleep(time.Second)
		r.requireCursor("rev-1")
		r.requireState(core.DataSourceValid)
	})
}

func TestSynchronizer_MalformedEvent(t *testing.T) {
	for _, data := range []string{
		`[{`, `[{"segmentId":"a.g1"}]`, `[1]`, `[] x`, `[{"segmentId":"a.g1","version":7}]`,
		"[{\"segmentId\":\"a\xff.g1\",\"version\":\"1\",\"changes\":{\"included\":{\"add\":[\"h1\"]}}}]",
	} {
		t.Run(strconv.QuoteToASCII(data), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.start(synchronizer.Options{})
				synctest.Wait()
				r.service.Write("data: " + data + "\n\n")
				synctest.Wait()
				r.requireState(core.DataSourceInterrupted)
				require.Equal(t, core.DataSourceErrorInvalidData, r.Status().LastError.Kind)
				require.Empty(t, r.store.patches)
				time.Sleep(time.Second)
				r.requireState(core.DataSourceValid)
				require.Equal(t, 2, r.streams())
			})
		})
	}
}

func TestSynchronizer_SilentStreamIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{})
		for range 10 {
			time.Sleep(4 * time.Minute)
			r.service.Write(":\n")
		}
		require.Equal(t, 1, r.streams())
		time.Sleep(5*time.Minute + time.Second)
		require.Equal(t, 2, r.streams())
		require.Equal(t, 1, r.service.Streams())
		r.requireState(core.DataSourceValid)
		require.Contains(t, r.Status().LastError.Message, "silent for 5m0s")
	})
}

// While the store takes longer than the stream may be silent, the stream is not given up.
func TestSynchronizer_SlowStoreIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(synchronizer.Options{ReadTimeout: 10 * time.Second, RefreshInterval: time.Hour})
		synctest.Wait()
		r.store.trouble(func(context.Context, string) error {
			time.Sleep(25 * time.Second)
			return nil
		})
		const count = 4
		for i := range count {
			r.service.Publish(includes("a.g1", strconv.Itoa(i)))
		}
		for began := time.Now(); time.Since(began) <= 2*count*25*time.Second; time.Sleep(5 * time.Second) {
			r.service.Write(":\n")
		}
		r.requireMember("3", []string{"a.g1"}, nil)
		r.requireState(core.DataSourceValid)
		require.Equal(t, 1, r.streams())
	})
}

func TestSynchronizer_TooLarge(t *testing.T) {
	const limit = 1000
	t.Run("event", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start(synchronizer.Options{MaxSize: limit})
			synctest.Wait()
			r.service.Write("data: " + strings.Repeat("x", 2*limit))
			synctest.Wait()
			require.Equal(t, core.DataSourceErrorInvalidData, r.Status().LastError.Kind)
			require.Contains(t, r.Status().LastError.Message, "larger than 1000 bytes")
		})
	})
	t.Run("poll", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.service.Publish(includes("a.g1", strings.Repeat("x", limit)))
			r.start(synchronizer.Options{MaxSize: limit})
			synctest.Wait()
			require.Contains(t, r.Status().LastError.Message, "larger than MaxSize")
			require.Empty(t, r.store.patches)
		})
	})
	t.Run("many small events", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.start(synchronizer.Options{MaxSize: limit})
			synctest.Wait()
			for i := range 100 {
				r.service.Publish(includes("a.g1", fmt.Sprint("h", i)))
				r.service.Write(": a comment\r\n\r\n")
			}
			synctest.Wait()
			r.requireState(core.DataSourceValid)
			r.requireMember("h99", []string{"a.g1"}, nil)
		})
	})
}

// A database that was filled for another environment has a cursor from which nothing leads on.
func TestSynchronizer_CursorOfAnotherEnvironment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, err := r.store.store.ApplyPatch(t.Context(), core.BigSegmentPatch{SegmentRef: "a.g1", Version: "foreign"})
		require.NoError(t, err)
		r.service.Next(mockbigsegments.PollPath, text(`[{"segmentId":"a.g1","version":"2","previousVersion":"1"}]`))
		r.start(synchronizer.Options{})
		synctest.Wait()
		require.Contains(t, r.Status().LastError.Message, `the store's cursor, "foreign"`)
		require.Contains(t, r.Status().LastError.Message, "remove its big segments")
		r.requireCursor("foreign")
	})
}

// A service whose answers lead in a circle must not be followed for ever.
func TestSynchronizer_Circle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		there := text(`[{"segmentId":"a.g1","version":"1","previousVersion":""}]`)
		on := text(`[{"segmentId":"a.g1","version":"2","previousVersion":"1"}]`)
		back := text(`[{"segmentId":"a.g1","version":"1","previousVersion":"2"}]`)
		r.service.Next(mockbigsegments.PollPath, there)
		for range 1000 {
			r.service.Next(mockbigsegments.PollPath, on, back)
		}
		r.start(synchronizer.Options{})
		synctest.Wait()
		require.Equal(t, 3, r.polls())
		require.Equal(t, core.DataSourceErrorInvalidData, r.Status().LastError.Kind)
	})
}

func TestSynchronizer_StoreFails(t *testing.T) {
	for _, operation := range []string{"Cursor", "ApplyPatch", "SetLastUpToDate"} {
		for name, trouble := range map[string]func(ctx context.Context) error{
			"error": func(context.Context) error { return errors.New("cable cut") },
			"hang": func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			},
		} {
			t.Run(operation+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					h := newHistory(t, 1)
					for range 10 {
						r.service.Publish(h.next()...)
					}
					r.store.trouble(func(ctx context.Context, o string) error {
						if o == operation {
							return trouble(ctx)
						}
						return nil
					})
					r.start(synchronizer.Options{})
					time.Sleep(10 * time.Minute)
					require.Equal(t, core.DataSourceErrorStore, r.Status().LastError.Kind)
					require.Empty(t, r.store.marked())
					require.Equal(t, 1, r.log.count(slog.LevelError))
					require.LessOrEqual(t, r.polls(), 120)
					r.store.trouble(nil)
					time.Sleep(time.Minute)
					r.requireState(core.DataSourceValid)
					r.requireCursor("rev-10")
					h.require(t, r.store)
				})
			})
		}
	}
}
