package mockhttp

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// RemoteURL is the base URI of a [Remote], without a slash at its end.
const RemoteURL = "https://example.com"

// Remote serves a handler by TLS and HTTP/2, on connections in memory that can be lost. Make one with [NewRemote]. It is
// safe for concurrent use.
type Remote struct {
	listener *listener
	server   *httptest.Server

	mu          sync.Mutex // guards what follows
	connections []*connection
}

// NewRemote starts a server, which is closed when the test ends.
func NewRemote(t testing.TB, handler http.Handler) *Remote {
	t.Helper()
	l := newListener()
	r := &Remote{listener: l, server: &httptest.Server{
		Listener: l, EnableHTTP2: true,
		Config: &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}, //nolint:gosec // in memory, without strangers
	}}
	r.server.StartTLS()
	t.Cleanup(func() {
		r.server.CloseClientConnections()
		r.server.Close()
	})
	return r
}

// CertificatePEM returns the certificate that a client has to trust, in PEM form.
func (r *Remote) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
}

// Dial has the form of a transport's DialContext.
func (r *Remote) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	pipe, err := r.listener.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: pipe, lost: make(chan struct{}), closed: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connections = append(r.connections, c)
	return c, nil
}

// Dials returns how many connections have been made.
func (r *Remote) Dials() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.connections)
}

// LoseConnections makes all connections that there are swallow what either side sends, without telling any. Connections
// that are made later work.
func (r *Remote) LoseConnections() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.connections {
		c.lose()
	}
}

// connection is the client's end of a connection.
type connection struct {
	net.Conn
	losing, closing sync.Once
	lost, closed    chan struct{}
}

func (c *connection) lose() { c.losing.Do(func() { close(c.lost) }) }

func (c *connection) isLost() bool {
	select {
	case <-c.lost:
		return true
	default:
		return false
	}
}

func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isLost() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *connection) Write(p []byte) (int, error) {
	if c.isLost() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *connection) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
