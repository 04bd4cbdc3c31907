package main

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/examples/internal/program"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startRelay(t *testing.T) (*mockservice.Service, string) {
	t.Helper()
	service := mockservice.New(t)
	service.SetData(`{"flags":{"new-checkout":{"key":"new-checkout","version":1,"on":false,"offVariation":0,` +
		`"variations":[false,true]}},"segments":{}}`)
	relay := httptest.NewServer(service)
	t.Cleanup(relay.Close)
	return service, relay.URL
}

func TestRun_PrintsTheFlagAndItsChanges(t *testing.T) {
	service, relay := startRelay(t)
	p := program.Start(t, func(ctx context.Context, out *log.Logger) error {
		return run(ctx, out, "sdk-key", relay, "new-checkout")
	})
	p.WaitFor(t, "new-checkout is false")
	// The program may have got its flags before the service counts the stream among those that it sends changes to.
	require.Eventually(t, func() bool { return service.Streams() == 1 }, time.Minute, time.Millisecond)
	service.Send("patch", `{"path":"/flags/new-checkout","data":{"key":"new-checkout","version":2,"on":false,`+
		`"offVariation":1,"variations":[false,true]}}`)
	p.WaitFor(t, "new-checkout was false and is now true")
	p.Stop(t)
	require.Equal(t, "sdk-key", service.Requests(mockservice.StreamPath)[0].Header.Get("Authorization"))
	require.NotEmpty(t, service.Requests(mockservice.EventsPath), "the relay gets the events too")
}

// The program starts all the same, and has the flags as soon as the key is accepted.
func TestRun_RefusedKey_GoesOnWithDefaults(t *testing.T) {
	service, relay := startRelay(t)
	service.SetData(`{"flags":{"new-checkout":{"key":"new-checkout","version":1,"on":false,"offVariation":0,` +
		`"variations":[true]}},"segments":{}}`)
	service.Next(mockservice.StreamPath, mockservice.Status(http.StatusUnauthorized))
	p := program.Start(t, func(ctx context.Context, out *log.Logger) error {
		return run(ctx, out, "another-key", relay, "new-checkout")
	})
	p.WaitFor(t, "new-checkout is false")
	p.Stop(t)
}

func TestRun_NoKey_Fails(t *testing.T) {
	err := run(t.Context(), log.New(t.Output(), "", 0), "", "", "new-checkout")
	require.ErrorIs(t, err, core.ErrInvalid)
}
