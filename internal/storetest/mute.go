package storetest

import (
	"net"
	"testing"
)

// Mute starts a server on loopback that accepts connections and never answers, and returns its host:port. It is stopped
// at the end of the test.
func Mute(t testing.TB) (address string) {
	t.Helper()
	address, _ = StartMute(t)
	return address
}

// StartMute does what [Mute] does, and closes connected when the first connection was accepted.
func StartMute(t testing.TB) (address string, connected <-chan struct{}) {
	t.Helper()
	listener, first := listen(t), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			if conns = append(conns, conn); len(conns) == 1 {
				close(first)
			}
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return listener.Addr().String(), first
}

// Unused returns a host:port on loopback where no server listens.
func Unused(t testing.TB) (address string) {
	t.Helper()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
