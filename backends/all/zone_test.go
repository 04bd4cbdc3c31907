package all_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// A host may be an IPv6 address with a zone, without which a link-local address says nothing.
func TestRegistry_IPv6Zone_IsDialled(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	for _, url := range []string{
		"consul://[::1%25lo]:", "consuls://[::1%25lo]:", "dynamodb://t?region=x&endpoint=http://[::1%2525lo]:",
		"redis://[::1%25lo]:", "rediss://[::1%25lo]:", "redis+cluster://[::1%25lo]:1,[::1%25lo]:", "rediss+cluster://[::1%25lo]:",
	} {
		server, err := net.Listen("tcp", "[::1%lo]:0")
		if err != nil {
			t.Skip("there is no IPv6 loopback interface called lo: ", err)
		}
		dialled := make(chan int)
		go func() {
			connections := 0
			for {
				conn, err := server.Accept()
				if err != nil {
					dialled <- connections
					return
				}
				connections++
				_ = conn.Close()
			}
		}()
		_, port, err := net.SplitHostPort(server.Addr().String())
		require.NoError(t, err)
		_, err = open(t, url+port).Store.GetAll(t.Context(), core.Flags)
		require.ErrorIs(t, err, core.ErrUnavailable, url)
		require.NoError(t, server.Close())
		require.Positive(t, <-dialled, url)
	}
}
