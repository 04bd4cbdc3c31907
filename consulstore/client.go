package consulstore

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/livefile"
)

// patience is how long a server may take for the steps of a connection, and for an answer to a watch.
const patience = 2 * time.Second

// newKV uses a client of the caller's.
func newKV(ctx context.Context, client *api.Client, opts *Options) (*kv, error) {
	k, err := prepareKV(ctx, opts)
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, fmt.Errorf("consulstore: %w: the client is nil", core.ErrInvalid)
	}
	if o := &k.options; o.Address != "" || o.TLS != nil || o.LiveTLS != nil || o.Token != "" || o.TokenFile != "" {
		return nil, fmt.Errorf("consulstore: %w: Address, TLS, LiveTLS, Token and TokenFile are for Open; the client given has its own",
			core.ErrInvalid)
	}
	k.client = client
	return k, nil
}

// openKV makes a client of its own.
func openKV(ctx context.Context, opts *Options) (*kv, error) {
	k, err := prepareKV(ctx, opts)
	if err != nil {
		return nil, err
	}
	config := &api.Config{Token: k.options.Token}
	socket, err := readAddress(config, &k.options)
	if err != nil {
		return nil, err
	}
	k.transport = newTransport(k.closing, socket, &k.options)
	if transport, plain := k.transport.(*http.Transport); plain {
		config.Transport = transport // which the driver gives the TLS configuration of the environment
	} else {
		config.HttpClient = &http.Client{Transport: k.transport}
	}
	if k.options.TokenFile != "" {
		k.token, err = livefile.Secret(k.options.Logger, "consulstore.Options.TokenFile", k.options.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("consulstore: %w: the token file cannot be used: %w", core.ErrInvalid, err)
		}
	}
	if k.client, err = api.NewClient(config); err != nil {
		return nil, fmt.Errorf("consulstore: %w: making a client: %w", core.ErrInvalid, err)
	}
	k.options.Token = "" // the client has it; a store that is printed has not
	return k, nil
}

// prepareKV makes a kv that lacks a client.
func prepareKV(ctx context.Context, opts *Options) (*kv, error) {
	if ctx == nil {
		return nil, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	k := &kv{options: options, keys: keys{options.Prefix}}
	k.limit.Store(maxOperations)
	k.closing, k.cancel = context.WithCancel(context.Background())
	return k, ctx.Err()
}

// readAddress puts the address into the configuration. It returns the path of a Unix socket, if it is one. No part of the
// address is repeated in an error, because a password can end up in any.
func readAddress(config *api.Config, o *Options) (socket string, err error) {
	secure := o.TLS != nil || o.LiveTLS != nil
	if secure {
		config.Scheme = "https"
	}
	address := o.Address
	if address == "" {
		address = os.Getenv(api.HTTPAddrEnvName)
	}
	if path, found := strings.CutPrefix(address, "unix://"); found {
		if path == "" {
			return "", badAddress("has no path")
		}
		config.Address = "localhost"
		return path, nil
	}
	if address == "" {
		return "", nil
	}
	config.Address = address
	if !strings.Contains(address, "://") {
		address = "//" + address
	}
	parsed, err := url.Parse(address)
	switch {
	case err != nil:
		return "", badAddress("is no URL and no host:port")
	case parsed.Scheme != "" && parsed.Scheme != "http" && parsed.Scheme != "https":
		return "", badAddress("has an unknown scheme; known are http, https and unix")
	case parsed.User != nil:
		return "", badAddress("must not have a user name or password; the token is an option of its own")
	case parsed.Hostname() == "":
		return "", badAddress("has no host")
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return "", badAddress("must not have a query or fragment")
	case parsed.Scheme == "http" && secure:
		return "", badAddress("says http:// beside TLS; write https://")
	}
	return "", nil
}

func badAddress(what string) error {
	return fmt.Errorf("consulstore: %w: the address %s", core.ErrInvalid, what)
}

// transport is an HTTP transport of ours.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// newTransport makes the transport of a client of ours. It speaks HTTP/1.1, with which the end of a call's context ends the
// connection too, so that one that was lost silently is not used again. Answers are not compressed: servers are near, and
// compressing a listing takes them longer than sending it. Dialling, which may outlast its call, ends when closing does.
func newTransport(closing context.Context, socket string, o *Options) transport {
	const idleTimeout, keepAlive = 90 * time.Second, 30 * time.Second
	const maxConnections = 64 // Servers accept 200 from one address, and others may be there.
	dialer := &net.Dialer{Timeout: patience, KeepAlive: keepAlive}
	plain := http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxConnsPerHost:     maxConnections,
		MaxIdleConns:        2 * maxInFlight,
		MaxIdleConnsPerHost: 2 * maxInFlight,
		IdleConnTimeout:     idleTimeout,
		TLSHandshakeTimeout: patience,
		DisableCompression:  true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(closing, cancel)()
			if socket != "" {
				network, address = "unix", socket
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
	if socket != "" {
		plain.Proxy = nil
	}
	live := o.LiveTLS
	switch {
	case o.TLS != nil:
		live = func() *tls.Config { return o.TLS }
	case live == nil:
		return &plain
	}
	return livefile.NewTransport(live, func(config *tls.Config) *http.Transport {
		secure := plain.Clone()
		secure.TLSClientConfig = config.Clone()
		secure.TLSClientConfig.NextProtos = nil // a server that is offered HTTP/2 would speak it, which this transport does not
		return secure
	})
}
