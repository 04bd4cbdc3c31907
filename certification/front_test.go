package certification

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// front is an HTTP server before a database, which may answer in its place.
type front struct {
	address string
	instead atomic.Pointer[answer] // nil if the database answers everything
}

// answer is what is answered in place of a database.
type answer struct {
	status int
	body   string
	only   func(r *http.Request) bool // the requests that are answered so; nil means all
}

func startFront(t testing.TB, target string) *front {
	t.Helper()
	f := &front{}
	onward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: target})
	transport := &http.Transport{IdleConnTimeout: time.Second} // so that nothing looks like what a client left over
	onward.Transport, onward.ErrorLog = transport, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	onward.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := f.instead.Load(); a != nil && (a.only == nil || a.only(r)) {
			w.WriteHeader(a.status)
			_, _ = io.WriteString(w, a.body)
			return
		}
		onward.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	f.address = strings.TrimPrefix(server.URL, "http://")
	return f
}

// fronted is a database behind a front.
type fronted interface{ before() *front }

// answers is a fault in which something is answered in place of a database.
func answers[S fronted](name string, lasts time.Duration, want Expectations, a answer) fault[S] {
	return fault[S]{
		name, lasts, want,
		func(_ testing.TB, s S) { s.before().instead.Store(&a) },
		func(_ testing.TB, s S) { s.before().instead.Store(nil) },
	}
}
