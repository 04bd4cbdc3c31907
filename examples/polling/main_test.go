package main

import (
	"bytes"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startService(t *testing.T) (*mockservice.Service, string) {
	t.Helper()
	service := mockservice.New(t)
	service.Compress()
	service.SetData(`{"segments":{},"flags":{
		"banner":{"key":"banner","version":3,"on":false,"offVariation":0,"variations":["hello"],
			"clientSideAvailability":{"usingEnvironmentId":true,"usingMobileKey":false}},
		"internal":{"key":"internal","version":1,"on":false,"offVariation":0,"variations":[true]}}}`)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	return service, server.URL
}

func TestRun_PrintsTheFlagsOfTheFrontEnd(t *testing.T) {
	service, uri := startService(t)
	var text bytes.Buffer
	require.NoError(t, run(t.Context(), log.New(&text, "", 0), "sdk-key", uri))
	require.JSONEq(t, `{"banner":"hello","$flagsState":{"banner":{"version":3,"variation":0}},"$valid":true}`, text.String())
	require.Len(t, service.Requests(mockservice.PollPath), 1)
	require.Empty(t, service.Requests(mockservice.StreamPath))
}

func TestRun_RefusedKey_FailsWithoutWaiting(t *testing.T) {
	service, uri := startService(t)
	service.Next(mockservice.PollPath, mockservice.Status(http.StatusUnauthorized))
	var text bytes.Buffer
	began := time.Now()
	require.ErrorContains(t, run(t.Context(), log.New(&text, "", 0), "sdk-key", uri), "401")
	require.Less(t, time.Since(began), startWait)
	require.Empty(t, text.String())
}
