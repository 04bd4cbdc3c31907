package synchronizer

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/memorystore"
)

func TestNew_NoHTTPClient_MakesOneThatNoticesDeadConnections(t *testing.T) {
	writer := memorystore.NewBigSegments(nil, nil)
	s, err := New(core.ClientSettings{SDKKey: "k"}, writer, nil)
	require.NoError(t, err)
	require.Equal(t, httptransport.HTTP2(), s.settings.HTTPClient.Transport.(*http.Transport).HTTP2)
	given := &http.Client{}
	s, err = New(core.ClientSettings{SDKKey: "k", HTTPClient: given}, writer, nil)
	require.NoError(t, err)
	require.Same(t, given, s.settings.HTTPClient)
	require.Nil(t, s.transport)
	require.NoError(t, writer.Close())
}
