package redisstore

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newDialer makes a dialer that stops when closing ends, so that Close leaves no goroutine behind.
//
// It does not return errors but connections on which everything fails with the error. When dialling has failed often, the
// driver's pool answers with old errors while a goroutine tries again every second, which neither Close nor anybody else can
// stop, and notices a server that is back that much later.
func newDialer(closing context.Context, timeout time.Duration, config *tls.Config) dialer {
	plain := &net.Dialer{Timeout: timeout}
	dial := plain.DialContext
	if config != nil {
		dial = (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		defer context.AfterFunc(closing, cancel)()
		conn, err := dial(ctx, network, address)
		if err != nil {
			// The driver takes the outermost layer off an error that it meets while it sets up a connection.
			return failedConn{fmt.Errorf("connecting: %w", err)}, nil
		}
		return conn, nil
	}
}

// failedConn is a connection that could not be made.
type failedConn struct{ err error }

func (c failedConn) Read([]byte) (int, error) { return 0, c.err }

func (c failedConn) Write([]byte) (int, error) { return 0, c.err }

func (failedConn) Close() error { return nil }

func (failedConn) LocalAddr() net.Addr { return &net.TCPAddr{} }

func (failedConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func (failedConn) SetDeadline(time.Time) error { return nil }

func (failedConn) SetReadDeadline(time.Time) error { return nil }

func (failedConn) SetWriteDeadline(time.Time) error { return nil }
