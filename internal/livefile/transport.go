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
	make   func(*tls.Config) *http.Transport

	mu      sync.Mutex
	made    *tls.Config // what current was made of
	current *http.Transport
}

// NewTransport returns a transport that uses what the second function makes of the first one's configurations. The
// function must copy the configuration if it or [http.Transport] changes it.
func NewTransport(config func() *tls.Config, make func(*tls.Config) *http.Transport) *Transport {
	return &Transport{config: config, make: make}
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
	if t.current == nil || config != t.made {
		if t.current != nil {
			t.current.CloseIdleConnections()
		}
		t.made, t.current = config, t.make(config)
	}
	return t.current
}
