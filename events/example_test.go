package events_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

func ExampleProcessor() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		fmt.Println(request.Method, request.URL.Path)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer service.Close()

	// A client does this with the factory that its configuration names.
	factory := events.Processor(events.Options{PrivateAttributes: []string{"email"}, DisableDiagnostics: true})
	processor, err := factory(core.ClientSettings{
		SDKKey:     "sdk-key",
		HTTPClient: service.Client(),
		Endpoints:  core.ServiceEndpoints{Events: service.URL},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	processor.Send(core.IdentifyEvent{EventBase: core.EventBase{
		Time: ldtime.UnixMillisNow(), Context: ldcontext.New("mina"),
	}})
	fmt.Println("closed:", processor.Close(context.Background()))
	// Output:
	// POST /bulk
	// closed: <nil>
}

func ExampleOff() {
	processor, err := events.Off()(core.ClientSettings{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, off := processor.(events.Discarding)
	fmt.Println("off:", off)
	// Output: off: true
}
