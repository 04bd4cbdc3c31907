package livefile

import (
	"crypto/tls"
	"net/http"
	"sync"
)

// Transport is an HTTP transport that is made again when its TLS configuration changes, so that no request is sent over a
// connection to a server that is not trusted any more. It is safe for concurrent use.
type Transport struct {
	config func() *tls.Config
	build  func(*tls.Config) *http.Transport

	mu      sync.Mutex
	built   *tls.Config // what current was built of
	current *http.Transport
}

// NewTransport returns a transport that uses what build makes of the configurations that config returns. build must
// copy what it or [http.Transport] changes.
func NewTransport(config func() *tls.Config, build func(*tls.Config) *http.Transport) *Transport {
	return &Transport{config: config, build: build}
}

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	return t.transport().RoundTrip(request)
}

// CloseIdleConnections closes the connections that no request is using. Those of an earlier configuration that become idle
// later are closed after [http.Transport].IdleConnTimeout.
func (t *Transport) CloseIdleConnections() { t.transport().CloseIdleConnections() }

func (t *Transport) transport() *http.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	config := t.config()
	if t.current == nil || config != t.built {
		if t.current != nil {
			t.current.CloseIdleConnections()
		}
		t.built, t.current = config, t.build(config)
	}
	return t.current
}
