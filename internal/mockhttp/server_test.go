package mockhttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/mockhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask makes a request and returns the answer.
func ask(t *testing.T, client *http.Client, method, url, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(read)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestServer_Client_ReachesItByAnyHost(t *testing.T) {
	s := mockhttp.New(t, status(http.StatusTeapot))
	for _, host := range []string{"one.test", "two.test"} {
		code, _ := ask(t, s.Client(), http.MethodPost, "http://"+host+"/x?q=1", "sent to "+host)
		require.Equal(t, http.StatusTeapot, code)
	}
	requests := s.Requests("/x")
	require.Len(t, requests, 2)
	require.Equal(t, "two.test", requests[1].Host)
	require.Equal(t, "q=1", requests[1].URL.RawQuery)
	require.Equal(t, http.MethodPost, requests[1].Method)
	require.Equal(t, "sent to two.test", string(requests[1].Body))
}

func TestServer_Next_ComesFirst(t *testing.T) {
	s := mockhttp.New(t, status(http.StatusOK))
	s.Next("/x", status(http.StatusTeapot), nil, status(http.StatusGone))
	server := httptest.NewServer(s)
	defer server.Close()
	for _, want := range []int{http.StatusTeapot, http.StatusOK, http.StatusGone, http.StatusOK} {
		code, _ := ask(t, server.Client(), http.MethodGet, server.URL+"/x", "")
		require.Equal(t, want, code)
	}
}

func TestServer_Close_EndsStreamsAndConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *mockhttp.Server
		s = mockhttp.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeStream(w, r, "", 0) }))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://mock.test/", http.NoBody)
		require.NoError(t, err)
		response, err := s.Client().Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, 1, s.Streams())
		s.Write(mockhttp.Event("patch", "x"))
		beginning := make([]byte, len("event: patch\ndata: x\n\n"))
		_, err = io.ReadFull(response.Body, beginning)
		require.NoError(t, err)
		require.Equal(t, "event: patch\ndata: x\n\n", string(beginning))
		s.Close()
		s.Close()
		synctest.Wait()
		require.Zero(t, s.Streams())
		_, err = s.Client().Do(request) //nolint:bodyclose // there is none
		require.Error(t, err)
	})
}
