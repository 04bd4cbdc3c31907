package containers

import (
	"bytes"
	"crypto/tls"
	"testing"

	"github.com/testcontainers/testcontainers-go"
)

// RedisTLS is what a server that speaks TLS needs.
type RedisTLS struct {
	// Certificate and Key are the server's own, and Authority is whom it trusts to certify clients, all in PEM form. The
	// server refuses clients without a certificate.
	Certificate, Key, Authority []byte
	// Client is a configuration with which it can be asked whether it is there.
	Client *tls.Config
}

// StartRedisTLS starts a server of the test's own in the way of [StartRedis] that speaks nothing but TLS. Its URL begins with
// rediss://.
func StartRedisTLS(t testing.TB, files RedisTLS, args ...string) *RedisServer {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatalf("containers: no free port: %v", err)
	}
	server, err := startRedisTLS(port, files, args)
	redisService.own(t, server.remove, err)
	return server
}

func startRedisTLS(port int, files RedisTLS, args []string) (*RedisServer, error) {
	const certificate, key, authority = "/tmp/certificate.pem", "/tmp/key.pem", "/tmp/authority.pem"
	args = append([]string{
		"--port", "0", "--tls-port", "6379", "--tls-auth-clients", "yes",
		"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority,
	}, args...)
	file := func(path string, content []byte) testcontainers.ContainerFile {
		return testcontainers.ContainerFile{Reader: bytes.NewReader(content), ContainerFilePath: path, FileMode: 0o644}
	}
	ctr, err := launchRedis(args,
		publish(redisPort, port),
		testcontainers.WithFiles(
			file(certificate, files.Certificate), file(key, files.Key), file(authority, files.Authority)))
	if err != nil {
		return nil, err
	}
	return describeRedis(ctr, files.Client)
}
