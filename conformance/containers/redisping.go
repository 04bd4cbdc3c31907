package containers

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"
)

// pingRedis returns nil once the server answers, and an error if it does not for as long as patience says.
func pingRedis(rawURL string, patience time.Duration) error {
	parsed, err := url.Parse(rawURL)
	if err != nil || parsed.Scheme != "redis" && parsed.Scheme != "rediss" {
		return errors.New(redisURLVariable + " is no redis:// URL") // The cause may contain a password.
	}
	// While a container starts, connections may be refused, cut, or left without an answer.
	for deadline := time.Now().Add(patience); ; <-time.After(50 * time.Millisecond) {
		err = askRedis(parsed)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// askRedis says PING in the protocol's inline form. A server that asks for credentials has answered.
func askRedis(address *url.URL) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := dialRedis(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(io.LimitReader(conn, 512)).ReadString('\n')
	switch {
	case err != nil:
		return fmt.Errorf("waiting for an answer: %w", err)
	case strings.HasPrefix(line, "+PONG"), strings.HasPrefix(line, "-NOAUTH"):
		return nil
	}
	return fmt.Errorf("the answer to PING is %q", strings.TrimSpace(line))
}

func dialRedis(ctx context.Context, address *url.URL) (net.Conn, error) {
	port := address.Port()
	if port == "" {
		port = "6379"
	}
	hostPort := net.JoinHostPort(address.Hostname(), port)
	if address.Scheme == "rediss" {
		config := &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // it only finds out whether somebody is there
		}
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", hostPort)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", hostPort)
}
