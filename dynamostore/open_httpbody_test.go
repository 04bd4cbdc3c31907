package dynamostore

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lateReader is an HTTP client that keeps what it was given to send.
type lateReader struct{ request *http.Request }

func (c *lateReader) Do(request *http.Request) (*http.Response, error) {
	c.request = request
	return nil, http.ErrHandlerTimeout
}

// closingBody behaves like the SDK's: after Close, its WriteTo returns io.EOF.
type closingBody struct {
	*strings.Reader
	closed bool
}

func (b *closingBody) WriteTo(w io.Writer) (int64, error) {
	if b.closed {
		return 0, io.EOF
	}
	return b.Reader.WriteTo(w)
}

func (b *closingBody) Close() error {
	b.closed = true
	return nil
}

// The body that a transport is given can be read, by io.Copy too, when the original has been closed, and again.
func TestWholeBody_OutlivesTheOriginal(t *testing.T) {
	const text = `{"TableName":"table"}`
	original := &closingBody{Reader: strings.NewReader(text)}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", original)
	require.NoError(t, err)
	request.ContentLength = int64(len(text))
	client := &lateReader{}
	_, err = wholeBody{client}.Do(request) //nolint:bodyclose // there is no response
	require.Equal(t, http.ErrHandlerTimeout, err)
	require.NoError(t, original.Close())
	_, err = io.Copy(io.Discard, original)
	require.Equal(t, io.EOF, err, "this is what net/http must not see")

	again, err := client.request.GetBody()
	require.NoError(t, err)
	for _, body := range []io.Reader{client.request.Body, again} {
		var read strings.Builder
		_, err := io.Copy(&read, body)
		require.NoError(t, err)
		require.Equal(t, len(text), read.Len())
		require.JSONEq(t, text, read.String())
	}
}

func TestWholeBody_WithoutOrBrokenBody(t *testing.T) {
	client := &lateReader{}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost", http.NoBody)
	require.NoError(t, err)
	_, err = wholeBody{client}.Do(request) //nolint:bodyclose // there is no response
	require.Equal(t, http.ErrHandlerTimeout, err)
	require.Same(t, request, client.request)

	request, err = http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", strings.NewReader("short"))
	require.NoError(t, err)
	request.ContentLength = 100
	_, err = wholeBody{client}.Do(request) //nolint:bodyclose // there is no response
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
