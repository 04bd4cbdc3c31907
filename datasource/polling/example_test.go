package polling_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/events"
)

func ExampleSource() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"flags":{"a":{"key":"a","version":1,"variations":["hello"],"offVariation":0}}}`)
	}))
	defer service.Close()

	ctx := context.Background()
	client, err := cleat.New(ctx, cleat.Config{
		SDKKey:     "sdk-key",
		DataSource: polling.Source(polling.Options{BaseURI: service.URL, Interval: time.Minute}),
		Events:     events.Off(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	fmt.Println(client.StringVariation(ctx, "a", ldcontext.New("ann"), "hi"))
	// Output: hello
}
