package dynamostore

import (
	"fmt"
	"log/slog"
	"strings"
)

// String describes the options without what may be secret in them.
func (o Options) String() string {
	type plain Options // without this method
	shown := plain(o)
	shown.Credentials, shown.HTTPClient = nil, nil // whose types may hold secrets
	if strings.Contains(shown.Endpoint, "@") {     // such an endpoint is refused
		shown.Endpoint = "REDACTED"
	}
	return fmt.Sprintf("dynamostore.Options%+v", shown)
}

// GoString is String.
func (o Options) GoString() string { return o.String() }

// LogValue is String as a value of package slog.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText is String for JSON and YAML.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
