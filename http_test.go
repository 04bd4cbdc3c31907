package cleat

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// fetch gets a page and returns its body.
func fetch(t *testing.T, options HTTPOptions, url string) (string, error) {
	t.Helper()
	client, err := (&Config{HTTP: options}).newHTTPClient()
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body), nil
}

func hello(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestHTTPOptions_ProxyURL_GetsEveryRequest(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "proxy for "+r.URL.String()+" "+r.Header.Get("Proxy-Authorization"))
	}))
	defer proxy.Close()
	address := strings.Replace(proxy.URL, "http://", "http://user:password@", 1)
	body, err := fetch(t, HTTPOptions{ProxyURL: address}, "http://no-such-host.invalid/all")
	require.NoError(t, err)
	require.Equal(t, "proxy for http://no-such-host.invalid/all Basic dXNlcjpwYXNzd29yZA==", body)
}

func TestHTTPOptions_CAFile_IsTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(hello("secure"))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, certificate, 0o600))

	_, err := fetch(t, HTTPOptions{}, server.URL)
	require.ErrorContains(t, err, "certificate", "a certificate that nobody vouches for is refused by default")
	body, err := fetch(t, HTTPOptions{CAFile: file}, server.URL)
	require.NoError(t, err)
	require.Equal(t, "secure", body)
	body, err = fetch(t, HTTPOptions{InsecureSkipVerify: true}, server.URL)
	require.NoError(t, err)
	require.Equal(t, "secure", body)
}

func TestHTTPOptions_CAFile_IsReadAgain(t *testing.T) {
	server := httptest.NewUnstartedServer(hello("secure"))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	other, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	trust := func(certificate []byte) {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
		require.NoError(t, os.WriteFile(file+".new", text, 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	trust(other)
	client, err := (&HTTPOptions{CAFile: file}).newClient(nil)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	get := func() error {
		response, err := client.Get(server.URL)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	require.ErrorAs(t, get(), new(*tls.CertificateVerificationError))
	trust(server.Certificate().Raw)
	require.NoError(t, get())
	trust(other)
	require.ErrorAs(t, get(), new(*tls.CertificateVerificationError))
}

// A host that accepts connections and never says a word does not hold up the client for longer than that.
func TestHTTPOptions_ConnectTimeout_EndsAHangingHandshake(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	began := time.Now()
	_, err = fetch(t, HTTPOptions{ConnectTimeout: 50 * time.Millisecond}, "https://"+listener.Addr().String())
	require.ErrorContains(t, err, "timeout")
	require.Less(t, time.Since(began), deadline)
}

func TestHTTPOptions_Transport_SendsTheRequests(t *testing.T) {
	server := httptest.NewServer(hello("from the transport"))
	defer server.Close()
	transport := &http.Transport{Proxy: http.ProxyURL(nil), DialContext: server.Client().Transport.(*http.Transport).DialContext}
	body, err := fetch(t, HTTPOptions{Transport: transport}, server.URL)
	require.NoError(t, err)
	require.Equal(t, "from the transport", body)
}

func TestHTTPOptions_WhatCannotBeUsed_IsAnErrorWithoutSecrets(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, tc := range map[string]struct {
		options HTTPOptions
		want    string
	}{
		"proxy without host":  {HTTPOptions{ProxyURL: "user:secret@proxy"}, "http://host:port"},
		"proxy of ftp":        {HTTPOptions{ProxyURL: "ftp://user:secret@proxy"}, "unknown scheme"},
		"unreadable proxy":    {HTTPOptions{ProxyURL: "http://user:secret@proxy:port:port"}, "http://host:port"},
		"no such file":        {HTTPOptions{CAFile: "/no/such/file"}, "/no/such/file"},
		"no certificate":      {HTTPOptions{CAFile: empty}, "no certificate"},
		"negative timeout":    {HTTPOptions{ConnectTimeout: -1}, "negative"},
		"transport and proxy": {HTTPOptions{Transport: http.DefaultTransport, ProxyURL: "http://secret@proxy"}, "Transport"},
		"header name":         {HTTPOptions{Header: http.Header{"A: secret": {"x"}}}, "a name that no header can have"},
		"header value":        {HTTPOptions{Header: http.Header{"A": {"secret\n"}}}, "under A"},
	} {
		t.Run(name, func(t *testing.T) {
			source := &manualSource{}
			client, err := New(t.Context(), Config{DataSource: source.factory, HTTP: tc.options})
			require.Nil(t, client)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, "Config.HTTP")
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestConfig_Header_NamesClientApplicationAndWrapper(t *testing.T) {
	config := Config{
		Logger:      slog.New(slog.DiscardHandler),
		Application: Application{ID: "shop", Version: "1.0"},
		Wrapper:     Wrapper{Name: "frame", Version: "2"},
		HTTP:        HTTPOptions{Header: http.Header{"X-Own": {"a"}, "User-Agent": {"not mine"}}},
	}
	header := config.header()
	require.Equal(t, "cleat/"+Version, header.Get("User-Agent"))
	require.Equal(t, "application-id/shop application-version/1.0", header.Get("X-LaunchDarkly-Tags"))
	require.Equal(t, "frame/2", header.Get("X-LaunchDarkly-Wrapper"))
	require.Equal(t, "a", header.Get("X-Own"))
	require.NotEmpty(t, header.Get("X-LaunchDarkly-Instance-Id"))
	require.NotEqual(t, header.Get("X-LaunchDarkly-Instance-Id"), config.header().Get("X-LaunchDarkly-Instance-Id"))
	require.Equal(t, []string{"not mine"}, config.HTTP.Header["User-Agent"], "what the application passed in was changed")
}

func TestConfig_Header_LeavesOutWhatTheServiceRefuses(t *testing.T) {
	var log bytes.Buffer
	config := Config{
		Logger:      slog.New(slog.NewTextHandler(&log, nil)),
		Application: Application{ID: "my shop", Version: strings.Repeat("1", 65)},
		Wrapper:     Wrapper{Version: "2"},
	}
	header := config.header()
	require.NotContains(t, header, "X-Launchdarkly-Tags")
	require.NotContains(t, header, "X-Launchdarkly-Wrapper", "a version without a name says nothing")
	require.Contains(t, log.String(), "application-id")
	require.Contains(t, log.String(), "application-version")
	config.Wrapper = Wrapper{Name: "two\nlines"}
	require.NotContains(t, config.header(), "X-Launchdarkly-Wrapper")
	config.Wrapper, config.Application = Wrapper{Name: "plain"}, Application{Version: "1"}
	require.Equal(t, "plain", config.header().Get("X-LaunchDarkly-Wrapper"))
	require.Equal(t, "application-version/1", config.header().Get("X-LaunchDarkly-Tags"))
}
