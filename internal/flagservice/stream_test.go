package flagservice

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// openStream opens a stream of the text, after which nothing comes unless ended is true.
func openStream(ctx context.Context, t *testing.T, text string, ended bool, options StreamOptions) *Stream {
	t.Helper()
	client := &http.Client{Transport: transport(func(r *http.Request) *http.Response {
		reader, writer := io.Pipe()
		context.AfterFunc(r.Context(), func() { _ = writer.CloseWithError(r.Context().Err()) })
		go func() {
			_, _ = io.WriteString(writer, text)
			if ended {
				_ = writer.Close()
			}
		}()
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: reader}
	})}
	stream, err := newEndpoint(t, client, "http://h", "").OpenStream(ctx, options)
	require.NoError(t, err)
	return stream
}

func ample() StreamOptions {
	return StreamOptions{ResponseTimeout: time.Minute, ReadTimeout: time.Hour, MaxEventSize: 1 << 20}
}

func TestStream_Events_ThenTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		arrived := 0
		options := ample()
		options.Arrived = func() { arrived++ }
		stream := openStream(t.Context(), t, "event: a\ndata: 1\n\nevent: b\ndata: 2\ndata: 3\n\n", true, options)
		first, second := <-stream.Events(), <-stream.Events()
		require.Equal(t, []string{"a", "1", "b", "2\n3"}, []string{first.Name, string(first.Data), second.Name, string(second.Data)})
		require.ErrorContains(t, <-stream.Ended(), "closed the stream")
		stream.Close()
		require.Equal(t, 1, arrived)
	})
}

func TestStream_Ended_GivesTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("no more time")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, reason)
		defer cancel()
		stream := openStream(ctx, t, "", false, ample())
		require.Equal(t, reason, <-stream.Ended())
		stream.Close()
	})
}

func TestStream_Close_WithEventsThatNobodyTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := openStream(t.Context(), t, strings.Repeat("data: x\n\n", 1000), false, ample())
		synctest.Wait()
		stream.Close()
	})
}

// The reader of the events is slower than the service may be silent, and then the service is silent.
func TestStream_Silence_IsNotThatOfTheConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, large = 5, 200_000 // more than is read ahead
		text := strings.Repeat("data: "+strings.Repeat("x", large)+"\n\n", count)
		stream := openStream(t.Context(), t, text, false, ample())
		for i := range count - 1 {
			time.Sleep(2 * time.Hour)
			select {
			case <-stream.Events():
			case err := <-stream.Ended():
				require.NoError(t, err, i)
			}
		}
		<-stream.Events()
		taken := time.Now()
		require.ErrorContains(t, <-stream.Ended(), "silent for 1h0m0s")
		require.LessOrEqual(t, time.Since(taken), time.Hour)
		stream.Close()
	})
}
