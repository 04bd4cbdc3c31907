package consulstore

import (
	"fmt"
	"log/slog"
	"strings"
)

// redacted stands in for a secret.
const redacted = "REDACTED"

// String describes the options without what may be secret in them.
func (o Options) String() string {
	type plain Options // without this method
	shown := plain(o)
	if shown.Token != "" {
		shown.Token = redacted
	}
	if strings.Contains(shown.Address, "@") { // such an address is refused
		shown.Address = redacted
	}
	return fmt.Sprintf("consulstore.Options%+v", shown)
}

// GoString is String.
func (o Options) GoString() string { return o.String() }

// LogValue is String as a value of package slog.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// MarshalText is String for JSON and YAML.
func (o Options) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
