// Package httptransport makes the HTTP transports of this library, which notice that an HTTP/2 connection is dead, and what
// an HTTP proxy answers.
package httptransport

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// DefaultConnectTimeout is how long to try to make a connection unless something else is said.
const DefaultConnectTimeout = 3 * time.Second

const (
	// Silence is how long an HTTP/2 connection may be silent until it is asked for a sign of life.
	Silence = 15 * time.Second
	// Patience is how long a sign of life may take.
	Patience = 15 * time.Second
)

// HTTP2 returns what belongs into [http.Transport].HTTP2: a connection is closed that has been silent for Silence and then
// does not answer a ping within Patience. Without it, a connection that a network or a peer drops silently stays in use
// until the operating system gives up resending, which takes about 16 minutes, because all requests to a host share it and
// a time-out ends the request only, not the connection.
func HTTP2() *http.HTTP2Config {
	return &http.HTTP2Config{SendPingTimeout: Silence, PingTimeout: Patience}
}

// New makes a transport that tries to make a connection for as long as connectTimeout says, the TLS handshake not counted,
// which may take as long again, nor the answer of an HTTP proxy, which may too. It is not a copy of [http.DefaultTransport], which may be anything.
func New(connectTimeout time.Duration) *http.Transport {
	const maxIdleConnections, idleTimeout, keepAlive = 100, 90 * time.Second, time.Minute
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: (&connector{
			dialer: net.Dialer{Timeout: connectTimeout, KeepAlive: keepAlive}, timeout: connectTimeout,
		}).DialContext,
		OnProxyConnectResponse: refuseProxyFailure,
		TLSHandshakeTimeout:    connectTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true, // which a DialContext or TLSClientConfig turns off otherwise
		HTTP2:                  HTTP2(),
		MaxIdleConns:           maxIdleConnections,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  time.Second,
	}
}
