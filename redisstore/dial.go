package redisstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/internal/tlsadvice"
)

// handshakePatience is how long a server may take to answer a TLS handshake before it is asked whether it speaks TLS.
const handshakePatience = 300 * time.Millisecond

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newDialer makes a dialer that stops when closing ends, so that Close leaves no goroutine of the driver behind. liveTLS is nil
// for connections without TLS. If there is a replaced function, the context that it returns for an address ends when another
// server has taken the place of the one there, which closes the connection.
func newDialer(
	closing context.Context, timeout time.Duration, liveTLS func() *tls.Config, replaced func(address string) context.Context,
) dialer {
	plain := &net.Dialer{}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		defer context.AfterFunc(closing, cancel)()
		dial := plain.DialContext
		if liveTLS != nil {
			dial = dialTLS(liveTLS())
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		greeting := &greetedConn{Conn: conn}
		if replaced != nil {
			greeting.closed = context.AfterFunc(replaced(address), func() { _ = conn.Close() })
		}
		if system, ok := conn.(syscall.Conn); ok { // by which the driver finds out whether it is still alive
			return systemConn{greeting, system}, nil
		}
		return greeting, nil
	}
}

// dialTLS makes a dialer for TLS. A Redis server that does not speak it waits for more of the handshake, without end: so a server
// that is slow to answer is asked over another connection whether it speaks plainly.
func dialTLS(config *tls.Config) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var asking sync.WaitGroup
		defer asking.Wait()
		asking.Add(1)
		slow := time.AfterFunc(handshakePatience, func() {
			defer asking.Done()
			if speaksPlainly(ctx, network, address) {
				cancel(&foreignError{
					text:   "the server did not answer the TLS handshake",
					advice: tlsadvice.For(tls.RecordHeaderError{}, tlsSettings()), cause: errForeign,
				})
			}
		})
		conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		if slow.Stop() {
			asking.Done()
		}
		var foreign *foreignError
		if err != nil && errors.As(context.Cause(ctx), &foreign) {
			return nil, foreign
		}
		cancel(nil)
		return conn, err
	}
}

// speaksPlainly reports whether a server answers a plain PING, which says nothing secret, as Redis does.
func speaksPlainly(ctx context.Context, network, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, handshakePatience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // nothing more is expected of it
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	answer := make([]byte, 1)
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	_, err = conn.Read(answer)
	return err == nil && (answer[0] == '+' || answer[0] == '-')
}

// unfailing makes a dialer that returns connections on which everything fails in place of errors. Of failed dials the driver
// writes a line each to a log that is global, and when there were many it answers with old errors while a goroutine of its own
// tries again every second, which Close could not wait for.
func unfailing(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return failedConn{&dialError{err}}, nil //nolint:nilerr // the connection fails with it
		}
		return conn, nil
	}
}

// dialError is why a connection could not be made. It hides from the driver what a Sentinel replied: the driver would take that
// for a reply of the server, and go on using the connection.
type dialError struct{ cause error }

func (e *dialError) Error() string { return "connecting: " + e.cause.Error() }

// Is keeps a missing reply of a Sentinel from being taken for that of a server.
func (e *dialError) Is(target error) bool { return target != redis.Nil && errors.Is(e.cause, target) }

// As keeps an error reply of a Sentinel from being taken for that of a server.
func (e *dialError) As(target any) bool {
	_, reply := target.(*redis.Error)
	return !reply && errors.As(e.cause, target)
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

// greetedConn is a connection that looks at how the first answer begins: at whether it is one of a Redis server.
type greetedConn struct {
	net.Conn
	greeted bool
	foreign error       // what the answer was if it was none of a Redis server: the driver may read on after an error
	closed  func() bool // to be called by Close; may be nil
}

// Close implements net.Conn.
func (c *greetedConn) Close() error {
	if c.closed != nil {
		c.closed()
	}
	return c.Conn.Close()
}

type systemConn struct {
	*greetedConn
	syscall.Conn
}

// Read implements net.Conn.
func (c *greetedConn) Read(b []byte) (int, error) {
	if c.foreign != nil {
		return 0, c.foreign
	}
	n, err := c.Conn.Read(b)
	if c.greeted || len(b) == 0 || isTimeout(err) {
		return n, err
	}
	c.greeted = true
	if foreign := recognize(b[:n], err); foreign != nil {
		c.foreign = fmt.Errorf("connecting: %w", foreign)
		return 0, c.foreign
	}
	return n, err
}

// foreignError says that what answers, or does not, seems to be no Redis server that can be used.
type foreignError struct {
	text, advice string
	cause        error
}

func (e *foreignError) Error() string { return e.text }

func (e *foreignError) Unwrap() error { return e.cause }

var errForeign = errors.New("the answer is none of a Redis server")

// recognize returns nil for an answer in Redis' protocol.
func recognize(answer []byte, err error) error {
	const replies, tlsAlert = "+-:$*_,#!=(%~>|", 0x15
	switch {
	case len(answer) == 0 && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return &foreignError{
			text: "the server closed the connection at the first command", cause: err,
			advice: "if it always does, the port may be one of TLS, for which the URL begins with rediss, or one of a proxy " +
				"that lets only some commands through, as twemproxy does",
		}
	case len(answer) == 0 || bytes.IndexByte([]byte(replies), answer[0]) >= 0:
		return nil
	case answer[0] == tlsAlert:
		return &foreignError{
			text: "the server speaks TLS", cause: errForeign, advice: "the server speaks TLS at this port; begin the URL with rediss",
		}
	case bytes.HasPrefix(answer, []byte("HTTP/")):
		return &foreignError{
			text: "the server speaks HTTP", cause: errForeign, advice: "this is no port of a Redis server; Redis' own is 6379",
		}
	}
	return &foreignError{
		text: errForeign.Error(), cause: errForeign, advice: "this is no port of a Redis server; Redis' own is 6379",
	}
}
