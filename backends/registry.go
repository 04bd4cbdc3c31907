package backends

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

// Registry knows schemes. Make one with [New]; a nil one knows none. It is safe for concurrent use.
type Registry struct {
	schemes map[string]storeurl.Scheme
	logger  *slog.Logger
}

// New returns a registry of what the function Schemes of each adapter returns, or of schemes of your own. Of two with the same name,
// the last counts. Package backends/all has a registry of all adapters.
func New(adapters ...[]storeurl.Scheme) *Registry {
	r := &Registry{schemes: map[string]storeurl.Scheme{}}
	for _, scheme := range slices.Concat(adapters...) {
		r.schemes[strings.ToLower(scheme.Name)] = scheme
	}
	return r
}

// WithLogger returns a registry with the same schemes whose stores log to the given logger, which should be that of their client.
// Nil, as without it, stands for slog.Default().
func (r *Registry) WithLogger(logger *slog.Logger) *Registry {
	return &Registry{schemes: r.schemes, logger: logger}
}

// Schemes returns the names of all known schemes in alphabetical order: those of the registry, and those that an adapter of this
// module would add to it, which [Registry.Open] refuses with the name of the import that is missing.
func (r *Registry) Schemes() []string {
	known := slices.Concat(slices.Collect(maps.Keys(r.schemes)), slices.Collect(maps.Keys(adapters())))
	slices.Sort(known)
	return slices.Compact(known)
}

// Backend is an open store and how it is to be cached.
type Backend struct {
	// Store is the store, which the caller closes.
	Store core.FeatureStoreCore
	// Cache is what the URL says of the cache; pass it to caching.NewCachingStoreWrapper or cleat.Config.
	Cache caching.Options
}

// BigSegments is an open big segment store and how long its queries may take.
type BigSegments struct {
	// Store is the store, which the caller closes.
	Store core.BigSegmentStore
	// QueryTimeout is the parameter read_timeout; 0 if there is none. Pass it to bigsegments.NewManager or cleat.Config.
	QueryTimeout time.Duration
}

// Open opens the feature store that the URL names.
func (r *Registry) Open(ctx context.Context, rawURL string) (Backend, error) {
	u, scheme, err := r.parse(ctx, rawURL)
	if err != nil {
		return Backend{}, err
	}
	cache := cacheOptions(u)
	if err := u.Check(); err != nil {
		return Backend{}, fmt.Errorf("backends: %s: %w", u, err)
	}
	store, err := scheme.OpenStore(ctx, u)
	if err != nil {
		return Backend{}, fmt.Errorf("backends: opening %s: %w", u, err)
	}
	return Backend{Store: store, Cache: cache}, nil
}

// OpenBigSegments opens the big segment store that the URL names. Parameters about the cache, and the time-outs of everything
// but reads, are allowed and have no effect.
func (r *Registry) OpenBigSegments(ctx context.Context, rawURL string) (BigSegments, error) {
	u, scheme, err := r.parse(ctx, rawURL)
	if err != nil {
		return BigSegments{}, err
	}
	if scheme.OpenBigSegments == nil {
		return BigSegments{}, fmt.Errorf("backends: %s: %w: the scheme has no store for big segments", u, core.ErrInvalid)
	}
	timeout := u.Duration(paramReadTimeout)
	if err := u.Check(); err != nil {
		return BigSegments{}, fmt.Errorf("backends: %s: %w", u, err)
	}
	store, err := scheme.OpenBigSegments(ctx, u)
	if err != nil {
		return BigSegments{}, fmt.Errorf("backends: opening %s: %w", u, err)
	}
	return BigSegments{Store: store, QueryTimeout: timeout}, nil
}

// parse finds the scheme of a URL and refuses parameters that it does not know.
func (r *Registry) parse(ctx context.Context, rawURL string) (*storeurl.URL, storeurl.Scheme, error) {
	if ctx == nil {
		return nil, storeurl.Scheme{}, fmt.Errorf("backends: %w: the context is nil", core.ErrInvalid)
	}
	if r == nil {
		r = New()
	}
	u, err := storeurl.Parse(rawURL, r.logger)
	if err != nil {
		return nil, storeurl.Scheme{}, fmt.Errorf("backends: %w", err)
	}
	scheme, registered := r.schemes[u.Scheme()]
	if !registered {
		return nil, storeurl.Scheme{}, r.refuseScheme(u.Scheme())
	}
	u.RefuseUnknown(slices.Concat(commonParameters(), scheme.Parameters))
	if err := u.Check(); err != nil {
		return nil, storeurl.Scheme{}, fmt.Errorf("backends: %s: %w", u, err)
	}
	return u, scheme, nil
}

// refuseScheme returns the error for a scheme that is not registered.
func (r *Registry) refuseScheme(name string) error {
	if adapter, ours := adapters()[name]; ours {
		return fmt.Errorf("backends: %w: %s:// needs github.com/cleatdev/cleat/%s: add %[3]s.Schemes() to the registry, "+
			"as in backends.New(%[3]s.Schemes()), or use backends/all", core.ErrInvalid, name, adapter)
	}
	return fmt.Errorf("backends: %w: unknown scheme (it is not shown, because it may be part of a password); "+
		"known are %s", core.ErrInvalid, strings.Join(r.Schemes(), ", "))
}

// adapters returns the schemes of this module's adapters, and the package of each. That is all that this package knows of them.
func adapters() map[string]string {
	return map[string]string{
		"consul": "consulstore", "consuls": "consulstore",
		"dynamodb": "dynamostore",
		"memory":   "memorystore",
		"redis":    "redisstore", "redis+cluster": "redisstore", "redis+sentinel": "redisstore",
		"rediss": "redisstore", "rediss+cluster": "redisstore", "rediss+sentinel": "redisstore",
		"sqlite": "sqlitestore",
	}
}
