package synchronizer_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/conformance/containers"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
	"github.com/cleatdev/cleat/redisstore"
)

// Environment of a child process, which synchronises until it is killed.
const (
	childVariable   = "CLEAT_TEST_SYNCHRONIZER_CHILD" // the URI of the flag service
	redisVariable   = "CLEAT_TEST_SYNCHRONIZER_REDIS"
	prefixVariable  = "CLEAT_TEST_SYNCHRONIZER_PREFIX"
	fastRetry       = 10 * time.Millisecond
	fastRefresh     = 100 * time.Millisecond
	patience        = 30 * time.Second
	killedProcesses = 15
)

func runChild() {
	ctx := context.Background()
	store, err := redisstore.OpenBigSegments(ctx, os.Getenv(redisVariable),
		&redisstore.Options{Prefix: os.Getenv(prefixVariable)})
	if err != nil {
		panic(err)
	}
	s, err := newLoopback(os.Getenv(childVariable), store)
	if err != nil {
		panic(err)
	}
	s.Start(ctx)
	<-s.Done()
}

func newLoopback(uri string, writer core.BigSegmentWriter) (*synchronizer.Synchronizer, error) {
	settings := core.ClientSettings{
		SDKKey:    mockbigsegments.SDKKey,
		Logger:    slog.New(slog.DiscardHandler),
		Endpoints: core.ServiceEndpoints{Streaming: uri, Polling: uri},
	}
	return synchronizer.New(settings, writer, &synchronizer.Options{
		MinRetryDelay: fastRetry, MaxRetryDelay: fastRetry, RefreshInterval: fastRefresh,
	})
}

// Processes are killed in the middle of filling a real database, two at a time, and the last one completes it.
func TestSynchronizer_Redis_KilledProcesses(t *testing.T) {
	url := containers.Redis(t)
	service := mockbigsegments.New(t)
	service.SetPageSize(5)
	server := httptest.NewServer(service)
	defer server.Close()
	defer service.Close() // ends the streams that the server would wait for
	prefix := freshPrefix()
	store, err := redisstore.OpenBigSegments(t.Context(), url, &redisstore.Options{Prefix: prefix})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()

	seed := uint64(time.Now().UnixNano())
	h := newHistory(t, seed)
	last := ""
	publish := func(n int) {
		for range n {
			last = service.Publish(h.next()...)
		}
	}
	publish(100)
	midway := 0
	for range killedProcesses {
		before, err := store.Cursor(t.Context())
		require.NoError(t, err)
		children := []*exec.Cmd{
			startChild(t, server.URL, url, prefix),
			startChild(t, server.URL, url, prefix),
		}
		require.Eventually(t, func() bool {
			cursor, err := store.Cursor(t.Context())
			return err == nil && cursor != before
		}, patience, time.Millisecond)
		for _, child := range children {
			require.NoError(t, child.Process.Kill())
			require.Error(t, child.Wait())
		}
		if cursor, err := store.Cursor(t.Context()); err == nil && cursor != last {
			midway++
		}
		publish(20)
	}
	t.Logf("%d of %d times, the processes were killed before they had done everything", midway, killedProcesses)

	s, err := newLoopback(server.URL, store)
	require.NoError(t, err)
	s.Start(t.Context())
	defer stop(s)
	require.Eventually(t, func() bool {
		cursor, err := store.Cursor(t.Context())
		return err == nil && cursor == last
	}, patience, 10*time.Millisecond)
	h.require(t, store)
	require.Eventually(t, func() bool {
		metadata, err := store.Metadata(t.Context())
		return err == nil && time.Since(time.UnixMilli(int64(metadata.LastUpToDate))) < time.Minute
	}, patience, 10*time.Millisecond)
}

func startChild(t *testing.T, serviceURL, redisURL, prefix string) *exec.Cmd {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(executable)
	child.Env = append(os.Environ(),
		childVariable+"="+serviceURL, redisVariable+"="+redisURL, prefixVariable+"="+prefix)
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	return child
}
