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
	"strconv"
	"strings"
	"time"
)

// pingRedis returns nil once the server of a URL answers, and an error if it does not for as long as patience says.
func pingRedis(rawURL string, patience time.Duration) error {
	parsed, err := url.Parse(rawURL)
	if err != nil || parsed.Scheme != "redis" && parsed.Scheme != "rediss" {
		return errors.New(redisURLVariable + " is no redis:// URL") // The cause may contain a password.
	}
	address := parsed.Host
	if parsed.Port() == "" {
		address = net.JoinHostPort(parsed.Hostname(), "6379")
	}
	var config *tls.Config
	if parsed.Scheme == "rediss" {
		config = &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // it only finds out whether a server is there
		}
	}
	return awaitRedis(address, config, patience)
}

// awaitRedis returns nil once a server says something to PING. While a container starts, connections may be refused, cut, or
// left without an answer. A server that asks for credentials has answered.
func awaitRedis(address string, config *tls.Config, patience time.Duration) error {
	return eventually(patience, func() error {
		reply, err := askRedis(address, config, "PING")
		if err == nil && reply != "PONG" {
			err = fmt.Errorf("the answer to PING is %q", reply)
		}
		if refusal := redisError(""); errors.As(err, &refusal) && strings.HasPrefix(string(refusal), "NOAUTH") {
			return nil
		}
		return err
	})
}

// redisError is an error that a server answers.
type redisError string

func (e redisError) Error() string { return string(e) }

// askRedis sends one command, without spaces in its words, on a connection of its own, and returns the answer as text, that
// of a list without its elements.
func askRedis(address string, config *tls.Config, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := dialRedis(ctx, address, config)
	if err != nil {
		return "", err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, strings.Join(words, " ")+"\r\n"); err != nil {
		return "", err
	}
	return readReply(bufio.NewReader(conn))
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("waiting for an answer: %w", err)
	}
	line = strings.TrimSpace(line)
	switch {
	case strings.HasPrefix(line, "-"):
		return "", redisError(line[1:])
	case strings.HasPrefix(line, "$"):
		size, err := strconv.Atoi(line[1:])
		if err != nil || size < 0 {
			return "", fmt.Errorf("the answer begins with %q", line)
		}
		text := make([]byte, size)
		_, err = io.ReadFull(r, text)
		return string(text), err
	case line == "":
		return "", errors.New("the answer is empty")
	}
	return line[1:], nil
}

func dialRedis(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	if config != nil {
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}
