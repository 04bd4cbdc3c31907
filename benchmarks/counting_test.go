package benchmarks

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
)

// roundTrips counts how often a client turns from writing to reading on any of its connections.
type roundTrips struct{ total atomic.Int64 }

// dial is a function that clients open connections with.
func (r *roundTrips) dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{TCPConn: connection.(*net.TCPConn), trips: r}, nil
}

func (r *roundTrips) counters() map[measure.Metric]func() int64 {
	return map[measure.Metric]func() int64{measure.Requests: r.total.Load}
}

// countedConn is still a TCP connection, which clients look into to see whether it is alive.
type countedConn struct {
	*net.TCPConn
	trips   *roundTrips
	written atomic.Bool // since the last read
}

func (c *countedConn) Write(p []byte) (int, error) {
	if !c.written.Swap(true) {
		c.trips.total.Add(1)
	}
	return c.TCPConn.Write(p)
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	if n > 0 {
		c.written.Store(false) // the answer, however many pieces it comes in
	}
	return n, err
}

// httpRequests counts requests.
type httpRequests struct {
	next  http.RoundTripper
	delay time.Duration // what a network adds to each
	total atomic.Int64
}

// newHTTPRequests makes a round tripper that keeps enough connections for many requests at once.
func newHTTPRequests(b *bench, delay time.Duration) *httpRequests {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return &httpRequests{next: transport, delay: delay}
}

// RoundTrip implements http.RoundTripper.
func (r *httpRequests) RoundTrip(request *http.Request) (*http.Response, error) {
	r.total.Add(1)
	if r.delay > 0 {
		<-time.After(r.delay)
	}
	return r.next.RoundTrip(request)
}

func (r *httpRequests) counters() map[measure.Metric]func() int64 {
	return map[measure.Metric]func() int64{measure.Requests: r.total.Load}
}

func TestRoundTrips_AreCountedOnceHoweverManyPieces(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	echoed := make(chan struct{})
	go func() {
		defer close(echoed)
		if connection, err := listener.Accept(); err == nil {
			_, _ = io.Copy(connection, connection) // ends when the test closes its side
			_ = connection.Close()
		}
	}()
	var trips roundTrips
	connection, err := trips.dial(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	for range 3 {
		for _, piece := range []string{"question", " in ", "pieces"} {
			_, err := connection.Write([]byte(piece))
			require.NoError(t, err)
		}
		for range len("question in pieces") {
			_, err := io.ReadFull(connection, make([]byte, 1))
			require.NoError(t, err)
		}
	}
	require.NoError(t, connection.Close())
	<-echoed
	require.EqualValues(t, 3, trips.counters()[measure.Requests]())
}

func TestHTTPRequests_AreCountedAndDelayed(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	requests := newHTTPRequests(&bench{T: t}, 20*time.Millisecond)
	client := &http.Client{Transport: requests}
	begin := time.Now()
	for range 2 {
		response, err := client.Get(server.URL)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	require.GreaterOrEqual(t, time.Since(begin), 40*time.Millisecond)
	require.EqualValues(t, 2, requests.counters()[measure.Requests]())
}
