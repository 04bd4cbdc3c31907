package mockbigsegments_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/internal/mockbigsegments"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a request whose response is closed when the test ends.
func open(t *testing.T, s *mockbigsegments.Service, url, key string) (status int, body io.Reader) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", key)
	response, err := s.Client().Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response.StatusCode, response.Body
}

func poll(t *testing.T, s *mockbigsegments.Service, after string) (status int, body string) {
	t.Helper()
	url := mockbigsegments.PollingURL + mockbigsegments.PollPath + "?after=" + after
	status, reader := open(t, s, url, mockbigsegments.SDKKey)
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	return status, string(text)
}

func TestService_Poll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mockbigsegments.New(t)
		_, body := poll(t, s, "")
		require.Equal(t, "[]", body)
		s.SetPageSize(1)
		first := s.Publish(
			mockbigsegments.Change{Segment: "a.g1", Include: []string{"h"}}, mockbigsegments.Change{Segment: "b.g1"})
		second := s.PublishUnseen(mockbigsegments.Change{Segment: "c.g1", Unexclude: []string{"h"}})
		_, body = poll(t, s, "")
		require.JSONEq(t, `[
			{"environmentId":"environment","segmentId":"a.g1","version":"","previousVersion":"",
			 "changes":{"included":{"add":["h"],"remove":null},"excluded":{"add":null,"remove":null}}},
			{"environmentId":"environment","segmentId":"b.g1","version":"rev-1","previousVersion":"",
			 "changes":{"included":{"add":null,"remove":null},"excluded":{"add":null,"remove":null}}}]`, body)
		_, body = poll(t, s, first)
		require.JSONEq(t, `[
			{"environmentId":"environment","segmentId":"c.g1","version":"rev-2","previousVersion":"rev-1",
			 "changes":{"included":{"add":null,"remove":null},"excluded":{"add":null,"remove":["h"]}}}]`, body)
		_, body = poll(t, s, second)
		require.Equal(t, "[]", body)
		status, _ := poll(t, s, "never-heard-of")
		require.Equal(t, http.StatusNotFound, status)
		require.Len(t, s.Requests(mockbigsegments.PollPath), 5)
	})
}

func TestService_SetForm_SaysHowPatchesLeadToTheirVersion(t *testing.T) {
	for form, want := range map[mockbigsegments.Form][3][2]string{
		mockbigsegments.Held:   {{"rev-1", "rev-1"}, {"rev-1", "rev-1"}, {"rev-1", "rev-2"}},
		mockbigsegments.Shared: {{"rev-1", "rev-2"}, {"rev-1", "rev-2"}, {"rev-1", "rev-2"}},
		mockbigsegments.Own:    {{"rev-1", "rev-2"}, {"rev-2", "rev-2"}, {"rev-2", "rev-2"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := mockbigsegments.New(t)
			s.SetForm(form)
			s.Publish(mockbigsegments.Change{Segment: "a.g1"})
			s.Publish(mockbigsegments.Change{Segment: "a.g1"}, mockbigsegments.Change{Segment: "b.g1"},
				mockbigsegments.Change{Segment: "c.g1"})
			_, body := poll(t, s, "rev-1")
			var patches []mockbigsegments.Patch
			require.NoError(t, json.Unmarshal([]byte(body), &patches))
			require.Len(t, patches, 3)
			for i, patch := range patches {
				require.Equal(t, want[i][0], patch.PreviousVersion)
				require.Equal(t, want[i][1], patch.Version)
			}
		})
	}
}

func TestService_SetEventSize_SplitsRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mockbigsegments.New(t)
		s.SetEventSize(1)
		_, body := open(t, s, mockbigsegments.StreamingURL+mockbigsegments.StreamPath, mockbigsegments.SDKKey)
		synctest.Wait()
		go func() {
			s.Publish(mockbigsegments.Change{Segment: "a.g1"}, mockbigsegments.Change{Segment: "b.g1"})
			s.Disconnect()
		}()
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Equal(t, 2, strings.Count(string(text), "data: "))
	})
}

func TestService_WrongKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mockbigsegments.New(t)
		for _, path := range []string{mockbigsegments.PollPath, mockbigsegments.StreamPath} {
			status, _ := open(t, s, mockbigsegments.PollingURL+path, "wrong")
			require.Equal(t, http.StatusUnauthorized, status)
		}
		status, _ := open(t, s, mockbigsegments.PollingURL+"/all", mockbigsegments.SDKKey)
		require.Equal(t, http.StatusNotFound, status)
	})
}

func TestService_Stream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mockbigsegments.New(t)
		_, body := open(t, s, mockbigsegments.StreamingURL+mockbigsegments.StreamPath, mockbigsegments.SDKKey)
		synctest.Wait()
		require.Equal(t, 1, s.Streams())
		go s.Publish(mockbigsegments.Change{Segment: "a.g1"})
		reader := bufio.NewReader(body)
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "event: patch\n", line)
		line, err = reader.ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, `data: [{"environmentId":"environment","segmentId":"a.g1"`)
		synctest.Wait()
		s.Disconnect()
		require.Zero(t, s.Streams())
		_, err = io.ReadAll(reader)
		require.NoError(t, err)
	})
}

func TestService_Next(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mockbigsegments.New(t)
		s.Next(mockbigsegments.PollPath, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, nil)
		status, _ := poll(t, s, "")
		require.Equal(t, http.StatusServiceUnavailable, status)
		for range 2 {
			status, _ = poll(t, s, "")
			require.Equal(t, http.StatusOK, status)
		}
	})
}
