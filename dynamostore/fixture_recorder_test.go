package dynamostore

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
)

// recorder stands between the driver and the server: it notes every request, and answers in the server's place where a
// test says so. DynamoDB Local never throttles by itself.
type recorder struct {
	next http.RoundTripper
	// intercept is asked about every request; a nil response and error pass it on.
	intercept interceptor

	markers      atomic.Int64 // requests about the change marker, which are not among those seen
	refuseMarker atomic.Pointer[func() *http.Response]

	mu   sync.Mutex
	seen []recorded
}

// interceptor answers a request, for which it may send it, or something like it, to the server.
type interceptor func(r recorded, send func(body []byte) (*http.Response, error)) (*http.Response, error)

// recorded is a request.
type recorded struct {
	operation string // "GetItem"
	body      []byte
	number    int // of the requests with this operation, counted from 1
}

// recordingClient makes a client with a recorder.
func recordingClient(t testing.TB, intercept interceptor) (*dynamodb.Client, *recorder) {
	t.Helper()
	rec := &recorder{intercept: intercept}
	client := clientFor(t, containers.DynamoDB(t), func(next http.RoundTripper) http.RoundTripper {
		rec.next = next
		return rec
	})
	return client, rec
}

// RoundTrip implements http.RoundTripper.
func (rec *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte(changesName)) {
		return rec.passMarker(request, body)
	}
	_, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	r := rec.note(operation, body)
	send := func(body []byte) (*http.Response, error) { return rec.send(request, body) }
	if rec.intercept != nil {
		if response, err := rec.intercept(r, send); response != nil || err != nil {
			return response, err
		}
	}
	return send(body)
}

func (rec *recorder) send(request *http.Request, body []byte) (*http.Response, error) {
	own := request.Clone(request.Context())
	own.Body, own.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return rec.next.RoundTrip(own)
}

// passMarker counts a request about the change marker, which comes at some time of its own.
func (rec *recorder) passMarker(request *http.Request, body []byte) (*http.Response, error) {
	rec.markers.Add(1)
	if refuse := rec.refuseMarker.Load(); refuse != nil {
		return (*refuse)(), nil
	}
	return rec.send(request, body)
}

func (rec *recorder) note(operation string, body []byte) recorded {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	r := recorded{operation: operation, body: body, number: 1}
	for _, earlier := range rec.seen {
		if earlier.operation == operation {
			r.number++
		}
	}
	rec.seen = append(rec.seen, r)
	return r
}

// take returns the operations of the requests since the last call.
func (rec *recorder) take() []string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	operations := make([]string, len(rec.seen))
	for i, r := range rec.seen {
		operations[i] = r.operation
	}
	rec.seen = nil
	return operations
}

// answer makes a response of the service.
func answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{
			"Content-Type": {"application/x-amz-json-1.0"}, "Content-Length": {strconv.Itoa(len(body))},
		},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

// failure makes a response that says error.
func failure(status int, code, message string) *http.Response {
	quoted, _ := json.Marshal(message) // a string can always be encoded
	return answer(status, `{"__type":"com.amazonaws.dynamodb.v20120810#`+code+`","message":`+string(quoted)+`}`)
}

// cancellation makes a response that says why a transaction was cancelled.
func cancellation(codes ...string) *http.Response {
	reasons := make([]map[string]string, len(codes))
	for i, code := range codes {
		reasons[i] = map[string]string{"Code": code}
	}
	quoted, _ := json.Marshal(reasons) // texts can always be encoded
	return answer(http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",`+
		`"message":"Transaction cancelled","CancellationReasons":`+string(quoted)+`}`)
}

// always fails every request of the operations, or of all if there is none.
func always(response func() *http.Response, operations ...string) interceptor {
	return func(r recorded, _ func([]byte) (*http.Response, error)) (*http.Response, error) {
		for _, operation := range operations {
			if r.operation == operation {
				return response(), nil
			}
		}
		if len(operations) == 0 {
			return response(), nil
		}
		return nil, nil //nolint:nilnil // passes the request on
	}
}

// leaving processes only so many requests of a batch and returns the others as unprocessed.
func leaving(
	t testing.TB, r recorded, keep int, send func(body []byte) (*http.Response, error),
) (*http.Response, error) {
	t.Helper()
	var batch struct {
		RequestItems map[string][]json.RawMessage
	}
	require.NoError(t, json.Unmarshal(r.body, &batch))
	left := map[string][]json.RawMessage{}
	for table, requests := range batch.RequestItems {
		keep := min(keep, len(requests))
		batch.RequestItems[table], left[table] = requests[:keep], requests[keep:]
	}
	if keep > 0 {
		body, err := json.Marshal(batch)
		require.NoError(t, err)
		response, err := send(body)
		if err != nil || response.StatusCode != http.StatusOK {
			return response, err
		}
		require.NoError(t, response.Body.Close())
	}
	body, err := json.Marshal(map[string]any{"UnprocessedItems": left})
	require.NoError(t, err)
	return answer(http.StatusOK, string(body)), nil
}
