package bigsegments

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/cleatdev/cleat/internal/optioncheck"
)

// Defaults of [Options].
const (
	DefaultCacheSize          = 1000
	DefaultCacheBytes         = 64 << 20
	DefaultCacheTime          = 5 * time.Second
	DefaultStatusPollInterval = 5 * time.Second
	DefaultStaleAfter         = 2 * time.Minute
	DefaultQueryTimeout       = 2 * time.Second
)

// Options configures a [Manager]. The zero value of each field means its default.
type Options struct {
	// CacheSize is how many memberships are kept at most; 0 means 1,000. When it is reached, those make room that are
	// least likely to be used again.
	CacheSize int
	// CacheBytes is how many bytes of memory, by estimate, the memberships take that are kept; 0 means 64 MiB. A context that
	// is in a thousand big segments takes about 80 KB. CacheSize holds as well: each membership counts at least as
	// CacheBytes/CacheSize. One that exceeds CacheBytes by itself is not kept.
	CacheBytes int
	// CacheTime is for how long a membership is used after it was read; 0 means 5 s.
	CacheTime time.Duration
	// StatusPollInterval is how often the store's metadata is read; 0 means 5 s.
	StatusPollInterval time.Duration
	// StaleAfter is how long ago the store may last have been up to date before it counts as stale; 0 means 2 min. A time more
	// than 5 min in the future counts as stale too.
	StaleAfter time.Duration
	// QueryTimeout ends every query of the store, and every lookup, also one that still waits for its turn because 100
	// queries are under way; 0 means 2 s.
	QueryTimeout time.Duration
	// ServeStaleFor is for how long after its CacheTime a membership may still be used while the store cannot be asked for it,
	// or has been wiped; the status is STALE then. 0 means not at all. Memberships that make room for others are not known any
	// more.
	ServeStaleFor time.Duration
	// Logger gets what goes wrong; nil means slog.Default().
	Logger *slog.Logger

	// Tests replace these two, which are called by several goroutines at once.
	now    func() time.Time
	random func() float64 // in [0,1), for jitter
}

// longest is the longest time that can be added to a time without overflow, by far.
const longest = 100 * 365 * 24 * time.Hour

// validate returns an error that names every option that is out of range.
func (o *Options) validate() error { return optioncheck.NotNegative("bigsegments", *o) }

func (o *Options) setDefaults() {
	o.CacheSize = cmp.Or(o.CacheSize, DefaultCacheSize)
	o.CacheBytes = cmp.Or(o.CacheBytes, DefaultCacheBytes)
	o.CacheTime = min(cmp.Or(o.CacheTime, DefaultCacheTime), longest)
	o.StatusPollInterval = min(cmp.Or(o.StatusPollInterval, DefaultStatusPollInterval), longest)
	o.StaleAfter = min(cmp.Or(o.StaleAfter, DefaultStaleAfter), longest)
	o.QueryTimeout = min(cmp.Or(o.QueryTimeout, DefaultQueryTimeout), longest)
	o.ServeStaleFor = min(o.ServeStaleFor, longest)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.random == nil {
		o.random = rand.Float64
	}
}
