package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// suite plays the part of the test suite.
type suite struct {
	t       *testing.T
	service *httptest.Server
	flags   *mockservice.Service
	base    string // of the flag service
	stopped chan struct{}
}

const flags = `{"flags":{
	"a":{"key":"a","version":1,"on":true,"fallthrough":{"variation":0},"variations":["yes"]},
	"number":{"key":"number","version":1,"on":true,"fallthrough":{"variation":0},"variations":[2.5]},
	"flag":{"key":"flag","version":1,"on":true,"fallthrough":{"variation":0},"variations":[true],
		"clientSideAvailability":{"usingEnvironmentId":true}},
	"stage":{"key":"stage","version":1,"on":true,"fallthrough":{"variation":0},"variations":["live"]},
	"big":{"key":"big","version":1,"on":true,"rules":[{"clauses":[{"op":"segmentMatch","values":["s"]}],"variation":0}],
		"fallthrough":{"variation":1},"variations":["in","out"]}
},"segments":{"s":{"key":"s","version":1,"unbounded":true,"generation":2}}}`

func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, stopped: make(chan struct{}), flags: mockservice.New(t)}
	s.flags.SetData(strings.NewReplacer("\n", "", "\t", "").Replace(flags)) // an event is one line
	flagServer := httptest.NewServer(s.flags)
	s.base = flagServer.URL
	service := newService(sync.OnceFunc(func() { close(s.stopped) }), slog.New(slog.DiscardHandler))
	s.service = httptest.NewServer(service.handler())
	t.Cleanup(func() {
		require.NoError(t, service.closeAll())
		s.service.Close()
		s.flags.Close()
		flagServer.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

// send returns status, Location and body of the answer.
func (s *suite) send(method, path, body string) (status int, location, answer string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.service.URL+path, strings.NewReader(body))
	require.NoError(s.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return response.StatusCode, response.Header.Get("Location"), strings.TrimSpace(string(data))
}

// client makes a client that streams; more is further JSON properties of its configuration.
func (s *suite) client(more string) (path string) {
	s.t.Helper()
	status, location, body := s.send(http.MethodPost, "/", fmt.Sprintf(
		`{"tag":"test","configuration":{"credential":"key","streaming":{"baseUri":%q}%s}}`, s.base, more))
	require.Equal(s.t, http.StatusCreated, status, body)
	return location
}

func (s *suite) command(client, name, parameters string) string {
	s.t.Helper()
	status, _, body := s.send(http.MethodPost, client, fmt.Sprintf(`{"command":%q,%q:%s}`, name, name, parameters))
	require.Less(s.t, status, 300, body)
	return body
}

func TestService_Describe_NamesEveryCapabilityOnce(t *testing.T) {
	s := newSuite(t)
	status, _, body := s.send(http.MethodGet, "/", "")
	require.Equal(t, http.StatusOK, status)
	var described struct{ Capabilities []string }
	require.NoError(t, json.Unmarshal([]byte(body), &described))
	require.ElementsMatch(t, capabilities(), described.Capabilities)
	seen := map[string]bool{}
	for _, capability := range described.Capabilities {
		require.False(t, seen[capability], capability)
		seen[capability] = true
	}
}

func TestService_Evaluate_ReturnsValueAndDetail(t *testing.T) {
	s := newSuite(t)
	client := s.client("")
	for _, tc := range []struct{ parameters, want string }{
		{`{"flagKey":"a","context":{"kind":"user","key":"x"},"valueType":"string","defaultValue":"no"}`, `{"value":"yes"}`},
		{`{"flagKey":"a","context":null,"user":{"key":"x"},"valueType":"any","defaultValue":"no"}`, `{"value":"yes"}`},
		{`{"flagKey":"number","context":{"kind":"user","key":"x"},"valueType":"double","defaultValue":1}`, `{"value":2.5}`},
		{`{"flagKey":"number","context":{"kind":"user","key":"x"},"valueType":"int","defaultValue":1}`, `{"value":2}`},
		{`{"flagKey":"flag","context":{"kind":"user","key":"x"},"valueType":"bool","defaultValue":false}`, `{"value":true}`},
		{
			`{"flagKey":"a","context":{"kind":"user","key":"x"},"valueType":"string","defaultValue":"no","detail":true}`,
			`{"value":"yes","variationIndex":0,"reason":{"kind":"FALLTHROUGH"}}`,
		},
		{
			`{"flagKey":"none","context":{"kind":"user","key":"x"},"valueType":"bool","defaultValue":true,"detail":true}`,
			`{"value":true,"reason":{"kind":"ERROR","errorKind":"FLAG_NOT_FOUND"}}`,
		},
	} {
		require.JSONEq(t, tc.want, s.command(client, "evaluate", tc.parameters), tc.parameters)
	}
	all := s.command(client, "evaluateAll", `{"context":{"kind":"user","key":"x"},"clientSideOnly":true,"withReasons":true}`)
	require.JSONEq(t, `{"state":{"flag":true,"$flagsState":{"flag":{"version":1,"variation":0,"reason":{"kind":"FALLTHROUGH"}}},"$valid":true}}`, all)
	require.JSONEq(t, `{"result":"live"}`, s.command(client, "migrationVariation", `{"key":"stage","context":{"kind":"user","key":"x"},"defaultStage":"off"}`))
}

func TestService_EvaluateBatch_ReturnsValuesAndTimes(t *testing.T) {
	s := newSuite(t)
	answer := s.command(s.client(""), "evaluateBatch", `{"context":{"kind":"user","key":"x"},"iterations":3,"evaluations":[
		{"flagKey":"a","valueType":"string","defaultValue":"no"},{"flagKey":"number","valueType":"double","defaultValue":1},
		{"flagKey":"number","valueType":"int","defaultValue":1},{"flagKey":"flag","valueType":"bool","defaultValue":false},
		{"flagKey":"none","valueType":"any","defaultValue":[1]}]}`)
	var got struct{ Results []measured }
	require.NoError(t, json.Unmarshal([]byte(answer), &got))
	for i, want := range []string{`"yes"`, `2.5`, `2`, `true`, `[1]`} {
		m := got.Results[i]
		require.JSONEq(t, want, m.Value.JSONString())
		require.Positive(t, m.TotalNs)
		require.LessOrEqual(t, m.MinNs, m.MaxNs)
		require.LessOrEqual(t, m.MinNs+m.MaxNs, m.TotalNs)
	}
	require.Len(t, got.Results, 5)
}

func TestService_Contexts_AreBuiltConvertedAndCompared(t *testing.T) {
	s := newSuite(t)
	client := s.client("")
	for _, tc := range []struct{ command, parameters, want string }{
		{"contextBuild", `{"single":{"key":"x","custom":{"a":1}}}`, `{"output":"{\"kind\":\"user\",\"key\":\"x\",\"a\":1}"}`},
		{"contextBuild", `{"multi":[{"kind":"org","key":"o"},{"key":"x"}]}`, `{"output":"{\"kind\":\"multi\",\"org\":{\"key\":\"o\"},\"user\":{\"key\":\"x\"}}"}`},
		{"contextConvert", `{"input":"{\"key\":\"x\"}"}`, `{"output":"{\"kind\":\"user\",\"key\":\"x\"}"}`},
		{"contextComparison", `{"context1":{"single":{"kind":"user","key":"x"}},"context2":{"single":{"kind":"user","key":"x"}}}`, `{"equals":true}`},
		{"contextComparison", `{"context1":{"single":{"kind":"user","key":"x"}},"context2":{"single":{"kind":"org","key":"x"}}}`, `{"equals":false}`},
		// The HMAC-SHA256 of "x" under "key", as openssl computes it.
		{"secureModeHash", `{"context":{"kind":"user","key":"x"}}`, `{"result":"4fc3b7eaf34d7e594a6f51d9517ba543abf41067b27587ffd82ba3584e4d3cdd"}`},
	} {
		require.JSONEq(t, tc.want, s.command(client, tc.command, tc.parameters), tc.parameters)
	}
	require.Contains(t, s.command(client, "contextBuild", `{"single":{"key":""}}`), `"error"`)
	require.Contains(t, s.command(client, "contextConvert", `{"input":"{"}`), `"error"`)
}

func TestService_Events_AreDelivered(t *testing.T) {
	s := newSuite(t)
	client := s.client(fmt.Sprintf(`,"events":{"baseUri":%q,"enableGzip":true}`, s.base))
	s.command(client, "identifyEvent", `{"context":{"kind":"user","key":"x"}}`)
	s.command(client, "customEvent", `{"eventKey":"e","context":{"kind":"user","key":"x"},"metricValue":1.5}`)
	status, _, _ := s.send(http.MethodPost, client, `{"command":"flushEvents"}`)
	require.Equal(t, http.StatusNoContent, status)
	require.Eventually(t, func() bool { return len(s.flags.Requests(mockservice.EventsPath)) > 0 }, 10*time.Second, time.Millisecond)
	request := s.flags.Requests(mockservice.EventsPath)[0]
	require.Equal(t, "gzip", request.Header.Get("Content-Encoding"))
	require.True(t, bytes.Contains(request.Body, []byte(`"metricValue":1.5`)), string(request.Body))
	require.Empty(t, s.flags.Requests(mockservice.DiagnosticPath), "they are off unless asked for")
}

// The suite's hooks and its store of big segments are called over HTTP.
func TestService_Callbacks_ReachTheSuite(t *testing.T) {
	s := newSuite(t)
	var mu sync.Mutex
	var calls []string
	callbacks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, r.URL.Path+" "+string(body))
		switch r.URL.Path {
		case "/big/getMetadata":
			_, _ = fmt.Fprintf(w, `{"lastUpToDate":%d}`, time.Now().UnixMilli())
		case "/big/getMembership":
			_, _ = io.WriteString(w, `{"values":{"s.g2":true}}`)
		}
	}))
	defer callbacks.Close()
	client := s.client(fmt.Sprintf(`,"bigSegments":{"callbackUri":"%s/big"},"hooks":{"hooks":[{"name":"h","callbackUri":"%s/hook",
		"data":{"beforeEvaluation":{"kept":1}},"errors":{"afterTrack":"rotten"}}]}`, callbacks.URL, callbacks.URL))
	require.JSONEq(t, `{"value":"in","variationIndex":0,"reason":{"kind":"RULE_MATCH","ruleIndex":0,"bigSegmentsStatus":"HEALTHY"}}`,
		s.command(client, "evaluate", `{"flagKey":"big","context":{"kind":"user","key":"x"},"valueType":"string","defaultValue":"","detail":true}`))
	s.command(client, "customEvent", `{"eventKey":"e","context":{"kind":"user","key":"x"}}`)
	status, _, answer := s.send(http.MethodPost, client, `{"command":"getBigSegmentStoreStatus"}`)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"available":true,"stale":false}`, answer)
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(calls, "\n")
	require.Contains(t, all, `/big/getMembership {"contextHash":"LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="}`)
	require.Contains(t, all, `"stage":"beforeEvaluation"`)
	require.Contains(t, all, `"evaluationSeriesData":{"kept":1}`)
	require.NotContains(t, all, "afterTrack", "a stage that is to fail reports nothing")
}

func TestService_MigrationOperation_CallsTheEndpoints(t *testing.T) {
	s := newSuite(t)
	client := s.client("")
	origin := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			payload, err := io.ReadAll(r.Body)
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, name+" "+string(payload))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	from, to := origin("old"), origin("new")
	for operation, want := range map[string]string{"read": "new p", "write": "new p"} {
		require.JSONEq(t, fmt.Sprintf(`{"result":%q}`, want), s.command(client, "migrationOperation", fmt.Sprintf(
			`{"key":"stage","context":{"kind":"user","key":"x"},"defaultStage":"off","readExecutionOrder":"serial","operation":%q,
			"oldEndpoint":%q,"newEndpoint":%q,"payload":"p","trackLatency":true,"trackErrors":true,"trackConsistency":true}`, operation, from, to)))
	}
}

func TestService_WhatCannotBeDone_IsAnError(t *testing.T) {
	s := newSuite(t)
	client := s.client("")
	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPost, "/", `{`, http.StatusBadRequest},
		{http.MethodPost, "/clients/99", `{}`, http.StatusNotFound},
		{http.MethodDelete, "/clients/99", ``, http.StatusNotFound},
		{http.MethodPost, client, `{"command":"dance"}`, http.StatusBadRequest},
		{http.MethodPost, client, `{"command":"evaluate","evaluate":{"context":5}}`, http.StatusBadRequest},
		{http.MethodPost, client, `{"command":"evaluateBatch","evaluateBatch":{"context":{"key":"x"},"iterations":0}}`, http.StatusBadRequest},
		{http.MethodPost, "/", `{"configuration":{"credential":"k","persistentDataStore":{"store":{"type":"tape"},"cache":{"mode":"off"}}}}`, http.StatusBadRequest},
		{http.MethodPost, "/", `{"configuration":{"credential":"k","persistentDataStore":{"store":{"type":"redis"},"cache":{"mode":"?"}}}}`, http.StatusBadRequest},
		{http.MethodDelete, client, ``, http.StatusNoContent},
		{http.MethodPost, client, `{"command":"flushEvents"}`, http.StatusNotFound},
	} {
		status, _, body := s.send(tc.method, tc.path, tc.body)
		require.Equal(t, tc.want, status, "%s %s: %s", tc.path, tc.body, body)
	}
}

// A client that cannot become ready is an error, unless the suite expects it.
func TestService_Create_ServiceIsAway(t *testing.T) {
	s := newSuite(t)
	configuration := `{"configuration":{"credential":"k","startWaitTimeMs":1,"initCanFail":%v,"streaming":{"baseUri":"http://127.0.0.1:1"}}}`
	status, _, _ := s.send(http.MethodPost, "/", fmt.Sprintf(configuration, false))
	require.Equal(t, http.StatusInternalServerError, status)
	status, location, _ := s.send(http.MethodPost, "/", fmt.Sprintf(configuration, true))
	require.Equal(t, http.StatusCreated, status)
	require.NotEmpty(t, location)
}

func TestService_Delete_StopsTheService(t *testing.T) {
	s := newSuite(t)
	status, _, _ := s.send(http.MethodDelete, "/", "")
	require.Equal(t, http.StatusNoContent, status)
	<-s.stopped
}
