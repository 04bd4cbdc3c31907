package consulstore

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cleatdev/cleat/core"
)

// Defaults of [Options].
const (
	DefaultPrefix             = "launchdarkly"
	DefaultBigSegmentsPrefix  = "cleat-big-segments"
	DefaultMaxItemSize        = 512 << 10
	DefaultMaxTransactionSize = 512 << 10
)

// Consistency says which servers may answer a read. What a write depends on is never read from a server that may be
// behind.
type Consistency int

// The consistency modes of Consul.
const (
	// ConsistencyDefault reads from the leader. For a moment after a restart, or while a leader that was cut off does not know
	// it yet, the answer may be what was true before.
	ConsistencyDefault Consistency = iota
	// ConsistencyConsistent has the leader ask the other servers first whether it still is the leader, which costs a round
	// trip between servers.
	ConsistencyConsistent
	// ConsistencyStale reads from any server, also when there is no leader. What it answers may be arbitrarily old.
	ConsistencyStale
)

// Options configures a [Store] or a [BigSegments]. The zero value of each field means its default, and so does a nil
// *Options.
type Options struct {
	// Prefix is what every key begins with, followed by a slash; empty means [DefaultPrefix] for a Store and
	// [DefaultBigSegmentsPrefix] for a BigSegments, for which a prefix that begins with DefaultPrefix is refused and one that
	// begins with the prefix of flags is dangerous: see "Neighbours" in the package documentation. It is used as it is. It may
	// have slashes, but a part after the first slash must not be "features", "segments" or "big_segments_user": the keys of
	// the store "a/features" would be items of the store "a". Prefixes that follow the name of a kind of your own, or
	// beside a store without a prefix begin with the name of a kind, have the same effect and are not found out.
	Prefix string
	// NoPrefix leaves out both prefix and slash, so that the keys are "features/…", "segments/…", "$inited" and so on. It
	// cannot be combined with Prefix.
	NoPrefix bool
	// Datacenter is the datacenter to use; empty means that of the agent.
	Datacenter string
	// Namespace and Partition are those to use, which are features of Consul Enterprise; empty means those of the token.
	// They have to be given here also if a client of the caller's has them set, because the operations of a transaction
	// carry them.
	Namespace, Partition string
	// Consistency applies to everything that reads; the zero value is [ConsistencyDefault].
	Consistency Consistency

	// Address is where the agent or server listens: host:port, or http://, https:// or unix:// with what belongs to it. It
	// is for Open and OpenBigSegments only. Empty means the environment variable CONSUL_HTTP_ADDR, or else localhost:8500.
	Address string
	// TLS makes the connection one of TLS, for example to trust a private certificate authority and to present a client
	// certificate. It is for Open and OpenBigSegments only. Nil means what Address and the environment variables
	// CONSUL_HTTP_SSL, CONSUL_CACERT, CONSUL_CLIENT_CERT, CONSUL_CLIENT_KEY and so on say.
	TLS *tls.Config
	// LiveTLS is TLS for files that others replace: it returns the configuration of the next connections, another one if the
	// authorities have changed, and always the same otherwise. It cannot be combined with TLS. What environment variables name is
	// read once.
	LiveTLS func() *tls.Config
	// Token is the ACL token. It is for Open and OpenBigSegments only. Empty means TokenFile, or else the environment
	// variables CONSUL_HTTP_TOKEN_FILE and CONSUL_HTTP_TOKEN.
	Token string
	// TokenFile is a file with the ACL token, which is read again whenever it has changed; while it cannot be read, the token
	// that it held stays in use. It is for Open and OpenBigSegments only, and cannot be combined with Token.
	TokenFile string

	// MaxItemSize is how many bytes a value may have; 0 means 512 KB, which is what a server accepts unless its
	// kv_max_value_size says otherwise.
	MaxItemSize int
	// MaxTransactionSize is how many bytes a transaction may have in its JSON form, in which values are a third larger; 0
	// means 512 KB, which is what a server accepts unless its txn_max_req_len says otherwise. What a server finds too large is
	// sent again in parts, which costs time.
	MaxTransactionSize int
	// Logger gets what goes wrong and concerns no caller; nil means slog.Default().
	Logger *slog.Logger
}

// validate returns an error that names every option that cannot be used.
func (o *Options) validate() error {
	var errs []error
	refuse := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("consulstore: %w: "+format, append([]any{core.ErrInvalid}, args...)...))
	}
	if o.NoPrefix && o.Prefix != "" {
		refuse("Prefix %q and NoPrefix exclude each other", o.Prefix)
	}
	if !utf8.ValidString(o.Prefix) {
		refuse("Prefix %q is not valid UTF-8", o.Prefix)
	}
	if part := reservedPart(o.Prefix); part != "" {
		refuse("Prefix %q: %q must not be a part after a slash, because its keys would be those of another store", o.Prefix, part)
	}
	if o.Consistency < ConsistencyDefault || o.Consistency > ConsistencyStale {
		refuse("Consistency %d is unknown", o.Consistency)
	}
	if o.Token != "" && o.TokenFile != "" {
		refuse("Token and TokenFile exclude each other")
	}
	if o.TLS != nil && o.LiveTLS != nil {
		refuse("TLS and LiveTLS exclude each other")
	}
	if o.MaxItemSize < 0 {
		refuse("MaxItemSize %d is negative", o.MaxItemSize)
	}
	if o.MaxTransactionSize < 0 {
		refuse("MaxTransactionSize %d is negative", o.MaxTransactionSize)
	}
	return errors.Join(errs...)
}

// reservedPart returns the part of a prefix that would make its store a part of another one.
func reservedPart(prefix string) string {
	_, rest, _ := strings.Cut(prefix, "/")
	for part := range strings.SplitSeq(rest, "/") {
		if slices.Contains(core.BuiltInKinds(), core.DataKind(part)) || part == usersDirectory {
			return part
		}
	}
	return ""
}

// forBigSegments returns a copy with the default prefix of big segments. The receiver may be nil.
func (o *Options) forBigSegments() (*Options, error) {
	var filled Options
	if o != nil {
		filled = *o
	}
	if strings.HasPrefix(filled.Prefix, DefaultPrefix) {
		return nil, fmt.Errorf("consulstore: %w: Prefix %q of big segments begins with %q, and LaunchDarkly's writers delete "+
			"everything that does when they fill the store; leave it out for %q, or choose another", core.ErrInvalid, filled.Prefix,
			DefaultPrefix, DefaultBigSegmentsPrefix)
	}
	if filled.Prefix == "" && !filled.NoPrefix {
		filled.Prefix = DefaultBigSegmentsPrefix
	}
	return &filled, nil
}

// withDefaults returns a copy with every default filled in. The receiver may be nil.
func (o *Options) withDefaults() (Options, error) {
	var filled Options
	if o != nil {
		filled = *o
	}
	if err := filled.validate(); err != nil {
		return Options{}, err
	}
	if filled.Prefix == "" && !filled.NoPrefix {
		filled.Prefix = DefaultPrefix
	}
	filled.MaxItemSize = cmp.Or(filled.MaxItemSize, DefaultMaxItemSize)
	filled.MaxTransactionSize = cmp.Or(filled.MaxTransactionSize, DefaultMaxTransactionSize)
	filled.Logger = cmp.Or(filled.Logger, slog.Default())
	return filled, nil
}

// String describes the options without what may be secret in them.
func (o Options) String() string {
	const redacted = "REDACTED"
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
