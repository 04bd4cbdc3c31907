package storeurl_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestURL_LiveTLS_FollowsTheFile(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, certificate, 0o600))
	u := parsed(t, "rediss://h?ca_file="+file)
	config := u.LiveTLS()
	require.NoError(t, u.Check())
	before := config()
	require.Same(t, before, config())
	require.NoError(t, os.WriteFile(file+".new", append(certificate, certificate...), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	require.NotSame(t, before, config())
	require.Nil(t, parsed(t, "rediss://h").LiveTLS())
}
