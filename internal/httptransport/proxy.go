package httptransport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// ProxyError says that an HTTP proxy did not let a connection to a server through.
type ProxyError struct {
	// Host is the proxy's, without the user name and password that its URL may have.
	Host string
	// Status is what it answered.
	Status int
}

// Error implements error and says what to do.
func (e *ProxyError) Error() string {
	text := fmt.Sprintf("the HTTP proxy %s answered %d %s", e.Host, e.Status, http.StatusText(e.Status))
	switch e.Status {
	case http.StatusProxyAuthRequired:
		return text + "; check the user name and password in the proxy's URL"
	case http.StatusForbidden:
		return text + "; check which servers the proxy lets through"
	default:
		return text
	}
}

// refuseProxyFailure is the [http.Transport].OnProxyConnectResponse that tells what a proxy answered as a [ProxyError]; the
// transport's own error is the status text alone.
func refuseProxyFailure(_ context.Context, proxy *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyError{Host: proxy.Host, Status: response.StatusCode}
}

// connector makes connections on which a proxy has to answer a CONNECT request in time. The transport itself gives it a
// minute, or as long as the whole request may take.
type connector struct {
	dialer  net.Dialer
	timeout time.Duration
}

// DialContext is that of [http.Transport].
func (c *connector) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tunnel{Conn: connection, address: address, timeout: c.timeout}, nil
}

// tunnel is a connection whose first read has a deadline if the first write is a CONNECT request. The next write, which is
// the server's TLS handshake, says that the proxy has answered.
type tunnel struct {
	net.Conn
	address string
	timeout time.Duration

	written atomic.Bool
	waiting atomic.Bool // for the proxy's answer
}

// Write implements [net.Conn].
func (t *tunnel) Write(p []byte) (int, error) {
	if !t.written.Swap(true) && bytes.HasPrefix(p, []byte(http.MethodConnect+" ")) {
		t.waiting.Store(true)
		if err := t.SetReadDeadline(time.Now().Add(t.timeout)); err != nil {
			return 0, err
		}
	} else if t.waiting.Swap(false) {
		if err := t.SetReadDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	return t.Conn.Write(p)
}

// Read implements [net.Conn].
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if t.waiting.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("the HTTP proxy %s has not answered within %v, the time that making a connection may take", t.address, t.timeout)
	}
	return n, err
}
