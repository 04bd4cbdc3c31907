package streaming_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
)

// A client streams by default; the options are for a flag service of one's own, such as a relay.
func ExampleSource() {
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, `event: put
data: {"path":"/","data":{"flags":{"a":{"key":"a","version":1,"variations":["hello"],"offVariation":0}}}}

`)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer relay.Close()

	ctx := context.Background()
	client, err := cleat.New(ctx, cleat.Config{
		SDKKey: "sdk-key",
		DataSource: streaming.Source(streaming.Options{
			BaseURI:           relay.URL,
			InitialRetryDelay: 2 * time.Second,
		}),
		Events: events.Off(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	fmt.Println(client.StringVariation(ctx, "a", ldcontext.New("ann"), "hi"))
	// Output: hello
}
