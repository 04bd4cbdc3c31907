package synchronizer_test

import (
	"crypto/x509"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/httptransport"
	"github.com/cleatdev/cleat/internal/mockhttp"
)

// The transport is that of a synchroniser that is given no HTTP client, except that its connections exist in memory.
func TestSynchronizer_HTTP2ConnectionIsLost_Recovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		remote := mockhttp.NewRemote(t, r.service)
		transport := httptransport.New(httptransport.DefaultConnectTimeout)
		transport.DialContext = remote.Dial
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		require.True(t, transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(remote.CertificatePEM()))
		t.Cleanup(transport.CloseIdleConnections)
		settings := r.service.Settings()
		settings.HTTPClient = &http.Client{Transport: transport}
		settings.Endpoints = core.ServiceEndpoints{Streaming: mockhttp.RemoteURL, Polling: mockhttp.RemoteURL}
		r.Synchronizer = mustNew(t, settings, r.store)
		r.Start(t.Context())
		t.Cleanup(func() { stop(r.Synchronizer) })
		synctest.Wait()
		r.requireState(core.DataSourceValid)
		remote.LoseConnections()
		r.service.PublishUnseen(includes("a.g1", "h1"))
		time.Sleep(synchronizer.DefaultRefreshInterval + httptransport.Silence + httptransport.Patience + 5*time.Second)
		r.requireCursor("rev-1")
		r.requireState(core.DataSourceValid)
	})
}

func mustNew(t *testing.T, settings core.ClientSettings, writer core.BigSegmentWriter) *synchronizer.Synchronizer {
	t.Helper()
	s, err := synchronizer.New(settings, writer, nil)
	require.NoError(t, err)
	return s
}
