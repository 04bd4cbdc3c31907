package mockservice_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, client *http.Client, url string, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	return response
}

func read(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return string(text)
}

func TestService_Poll(t *testing.T) {
	service := mockservice.New(t)
	service.SetData(`{"flags":{"a":{}}}`)
	service.SetEnvironmentID("env")
	service.Compress()
	response := get(t, service.Client(), mockservice.URL+mockservice.PollPath)
	require.True(t, response.Uncompressed)
	require.Equal(t, "env", response.Header.Get("X-Ld-Envid"))
	require.JSONEq(t, `{"flags":{"a":{}}}`, read(t, response))

	tag := response.Header.Get("Etag")
	response = get(t, service.Client(), mockservice.URL+mockservice.PollPath, "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, response.StatusCode)
	require.Empty(t, read(t, response))
	response = get(t, service.Client(), mockservice.URL+mockservice.PollPath, "Accept-Encoding", "identity")
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Empty(t, read(t, response))
	require.Len(t, service.Requests(mockservice.PollPath), 3)
}

func TestService_Stream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := mockservice.New(t)
		response := get(t, service.Client(), mockservice.URL+mockservice.StreamPath) //nolint:bodyclose // read closes it
		synctest.Wait()
		require.Equal(t, 1, service.Streams())
		service.SendData(`{"flags":{}}`)
		service.Send("patch", "x")
		service.Write(": comment\n")
		go func() {
			time.Sleep(time.Hour)
			service.Disconnect()
		}()
		require.Equal(t, "event: put\ndata: {\"path\":\"/\",\"data\":{\"flags\":{},\"segments\":{}}}\n\n"+
			"event: put\ndata: {\"path\":\"/\",\"data\":{\"flags\":{}}}\n\n"+
			"event: patch\ndata: x\n\n"+
			": comment\n", read(t, response))
		require.Zero(t, service.Streams())
	})
}

func TestService_Events_AreCaptured(t *testing.T) {
	service := mockservice.New(t)
	server := httptest.NewServer(service)
	defer server.Close()
	var zipped bytes.Buffer
	writer := gzip.NewWriter(&zipped)
	_, err := io.WriteString(writer, "[1]")
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	for _, path := range []string{mockservice.EventsPath, mockservice.DiagnosticPath} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, bytes.NewReader(zipped.Bytes()))
		require.NoError(t, err)
		request.Header.Set("Content-Encoding", "gzip")
		response, err := server.Client().Do(request)
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
		require.NotEmpty(t, response.Header.Get("Date"))
		require.Empty(t, read(t, response))
		require.Equal(t, "[1]", string(service.Requests(path)[0].Body))
	}
}

func TestService_Next_ComesFirst(t *testing.T) {
	service := mockservice.New(t)
	service.Next("/x", mockservice.Page(http.StatusTeapot), mockservice.Text("text/plain", "hello"))
	response := get(t, service.Client(), mockservice.URL+"/x")
	require.Equal(t, http.StatusTeapot, response.StatusCode)
	require.Contains(t, read(t, response), "<html>")
	response = get(t, service.Client(), mockservice.URL+"/x") //nolint:bodyclose // read closes it
	require.Equal(t, "hello", read(t, response))
	response = get(t, service.Client(), mockservice.URL+"/x")
	require.Equal(t, http.StatusNotFound, response.StatusCode)
	require.NotEmpty(t, read(t, response))
}
