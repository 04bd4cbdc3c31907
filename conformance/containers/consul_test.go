package containers

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All tests share one server, and it has a leader.
func TestConsul_IsShared(t *testing.T) {
	address := Consul(t)
	_, err := askConsulLeader(address)
	require.NoError(t, err)
	require.Equal(t, address, Consul(t))
}

// A server of the test's own takes arguments, and has the same address after a restart.
func TestStartConsul_StopsAndStarts(t *testing.T) {
	shared, server := Consul(t), StartConsul(t, "-node", "own")
	require.NotEqual(t, shared, server.Address)
	server.Stop(t)
	_, err := askConsulLeader(server.Address)
	require.Error(t, err)
	server.Start(t)
	_, err = askConsulLeader(server.Address)
	require.NoError(t, err)
}

// A cluster elects another leader when its leader is gone.
func TestStartConsulCluster_Elects(t *testing.T) {
	servers := StartConsulCluster(t, 3)
	leader := ConsulLeader(t, servers, servers[0])
	var rest []*ConsulServer
	for _, server := range servers {
		if server != leader {
			rest = append(rest, server)
		}
	}
	require.Len(t, rest, 2)
	leader.Stop(t)
	ConsulLeader(t, rest, rest[0])
}

// What is no server of Consul, or no address, is no server.
func TestConsul_BadAddress_IsUnreachable(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1", "no address", "http://host:1"} {
		require.Error(t, pingConsul(address, 0), address)
	}
}

func TestConsulServer_Pause_AnswersLater(t *testing.T) {
	server := StartConsul(t)
	server.Pause(t)
	require.Error(t, pingConsul(server.Address, 300*time.Millisecond))
	server.Unpause(t)
	require.NoError(t, pingConsul(server.Address, startingPatience))
}
