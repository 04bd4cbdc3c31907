package synchronizer_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

// childVariable makes a process of the test's a child, which synchronises until it is killed. It holds a childTask.
const childVariable = "CLEAT_TEST_SYNCHRONIZER_CHILD"

// childTask is what a child process does.
type childTask struct {
	Service string
	Target  target
	Delay   time.Duration
}

const (
	fastRetry   = 10 * time.Millisecond
	fastRefresh = 100 * time.Millisecond
	patience    = time.Minute
)

func runChild() {
	ctx := context.Background()
	var task childTask
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &task); err != nil {
		panic(err)
	}
	opened, err := task.Target.open(ctx)
	if err != nil {
		panic(err)
	}
	delayed := &observed{store: opened}
	delayed.trouble(slow(rand.New(rand.NewPCG(uint64(os.Getpid()), 0)), task.Delay))
	s, err := newLoopback(task.Service, delayed)
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

func startChild(t *testing.T, task childTask) *exec.Cmd {
	t.Helper()
	executable, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(task)
	require.NoError(t, err)
	child := exec.Command(executable)
	child.Env = append(os.Environ(), childVariable+"="+string(text))
	child.Stderr = os.Stderr
	require.NoError(t, child.Start())
	return child
}

// killChildren starts a child, kills it a moment after it has moved the cursor or so, and starts another one, until ctx ends.
// It returns how many there were.
func killChildren(ctx context.Context, t *testing.T, task childTask, random *rand.Rand) (killed int) {
	for ctx.Err() == nil {
		child := startChild(t, task)
		select {
		case <-time.After(100*time.Millisecond + time.Duration(random.Int64N(int64(400*time.Millisecond)))):
		case <-ctx.Done():
		}
		_ = child.Process.Kill()
		_ = child.Wait()
		killed++
	}
	return killed
}
