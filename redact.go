package cleat

import (
	"fmt"
	"io"
	"log/slog"
)

// String describes the configuration without its secrets, of which a proxy's URL may be one.
func (c Config) String() string {
	return fmt.Sprintf("cleat.Config{Offline: %v, Daemon: %v, Endpoints: %v, Store: %T, BigSegmentStore: %T, StoreMode: %v}",
		c.Offline, c.Daemon, c.Endpoints, c.Store, c.BigSegmentStore, c.StoreMode)
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String as a value of package slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String for JSON and YAML.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String describes the options without what may be secret in them.
func (o HTTPOptions) String() string {
	return fmt.Sprintf("cleat.HTTPOptions{CAFile: %q, InsecureSkipVerify: %v, ConnectTimeout: %v, Transport: %T}",
		o.CAFile, o.InsecureSkipVerify, o.ConnectTimeout, o.Transport)
}

// GoString is String.
func (o HTTPOptions) GoString() string { return o.String() }

// LogValue is String as a value of package slog.
func (o HTTPOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText is String for JSON and YAML.
func (o HTTPOptions) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Format writes the name of the type, whatever the verb: what is in a Client is secret, and in use.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "cleat.Client") }
