package dynamostore

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// wholeBody gives the HTTP client request bodies of its own.
//
// The SDK closes a request's body as soon as the head of the response is there. net/http may at that moment be about to
// look for the end of the body, which it does by io.Copy, and the WriteTo of the SDK's closed body answers that with
// io.EOF, which a WriterTo must not return. net/http takes it for a failed request and closes the connection, and reading
// the response fails with "use of closed network connection". A bytes.Reader is never closed, lets net/http send head and
// body in one piece, and can be sent again on another connection if the server had closed the first before it was used.
type wholeBody struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c wholeBody) Do(request *http.Request) (*http.Response, error) {
	if request.Body == nil || request.ContentLength <= 0 {
		return c.next.Do(request)
	}
	body := make([]byte, request.ContentLength)
	if _, err := io.ReadFull(request.Body, body); err != nil {
		return nil, fmt.Errorf("reading the request's body: %w", err)
	}
	own := request.WithContext(request.Context())
	own.Body = io.NopCloser(bytes.NewReader(body))
	own.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return c.next.Do(own)
}
