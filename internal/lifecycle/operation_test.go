package lifecycle

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func requireOpen(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
		require.Fail(t, "the operation has ended")
	default:
	}
}

func TestOperation_Stop_EndsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, running, finish := NewOperation(), make(chan struct{}), make(chan struct{})
		o.Run(t.Context(), func(ctx context.Context) {
			close(running)
			<-ctx.Done()
			<-finish
		})
		<-running
		requireOpen(t, o.Done())
		o.Stop()
		o.Stop()
		synctest.Wait()
		requireOpen(t, o.Done()) // not before the goroutine has ended
		close(finish)
		<-o.Done()
		o.Run(t.Context(), func(context.Context) { panic("it was stopped") })
		synctest.Wait()
	})
}

func TestOperation_Stop_BeforeRun(t *testing.T) {
	o := NewOperation()
	requireOpen(t, o.Done())
	o.Stop()
	o.Stop()
	<-o.Done()
	o.Run(t.Context(), func(context.Context) { panic("it was stopped") })
}

func TestOperation_Run_Once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, runs := NewOperation(), make(chan int, 2)
		for i := range 2 {
			o.Run(t.Context(), func(context.Context) { runs <- i })
		}
		<-o.Done()
		synctest.Wait()
		require.Len(t, runs, 1)
	})
}
