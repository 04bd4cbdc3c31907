package backends

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// Scheme says how the URLs of one scheme are opened.
type Scheme struct {
	// Parameters are the names of the query parameters that the scheme understands beyond the common ones.
	Parameters []string
	// OpenStore opens a feature store.
	OpenStore func(ctx context.Context, u *URL) (core.FeatureStoreCore, error)
	// OpenBigSegments opens a big segment store; nil if there is none for the scheme.
	OpenBigSegments func(ctx context.Context, u *URL) (core.BigSegmentStore, error)
}

// Registry knows schemes. Make one with [New]. It is safe for concurrent use once nothing is registered any more.
type Registry struct {
	schemes map[string]Scheme
	logger  *slog.Logger
}

// New returns a registry that knows the schemes of the package documentation.
func New() *Registry {
	return &Registry{schemes: map[string]Scheme{
		"consul":   consulScheme(),
		"consuls":  consulScheme(),
		"dynamodb": dynamoScheme(),
		"memory":   memoryScheme(),
		"redis":    redisScheme(""),
		"rediss":   redisScheme(""),

		"redis+cluster":   redisScheme("+cluster"),
		"rediss+cluster":  redisScheme("+cluster"),
		"redis+sentinel":  redisScheme("+sentinel"),
		"rediss+sentinel": redisScheme("+sentinel"),

		"sqlite": sqliteScheme(),
	}}
}

// Register adds a scheme or replaces one of the same name.
func (r *Registry) Register(name string, scheme Scheme) {
	r.schemes[strings.ToLower(name)] = scheme
}

// WithLogger returns a registry with the same schemes whose stores log to the given logger, which should be that of their client.
// Nil, as without it, stands for slog.Default().
func (r *Registry) WithLogger(logger *slog.Logger) *Registry {
	return &Registry{schemes: maps.Clone(r.schemes), logger: logger}
}

// Schemes returns the names of all schemes in alphabetical order.
func (r *Registry) Schemes() []string { return slices.Sorted(maps.Keys(r.schemes)) }

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
	cache := u.cache()
	if err := u.err(); err != nil {
		return Backend{}, err
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
	if err := u.err(); err != nil {
		return BigSegments{}, err
	}
	store, err := scheme.OpenBigSegments(ctx, u)
	if err != nil {
		return BigSegments{}, fmt.Errorf("backends: opening %s: %w", u, err)
	}
	return BigSegments{Store: store, QueryTimeout: timeout}, nil
}

func (r *Registry) parse(ctx context.Context, rawURL string) (*URL, Scheme, error) {
	if ctx == nil {
		return nil, Scheme{}, fmt.Errorf("backends: %w: the context is nil", core.ErrInvalid)
	}
	u, err := parseURL(rawURL, r.logger)
	if err != nil {
		return nil, Scheme{}, err
	}
	scheme, known := r.schemes[u.Scheme()]
	if !known {
		return nil, Scheme{}, fmt.Errorf("backends: %w: unknown scheme (it is not shown, because it may be part of a password); "+
			"known are %s", core.ErrInvalid, strings.Join(r.Schemes(), ", "))
	}
	if wrong := u.checkNames(scheme.Parameters); len(wrong) > 0 {
		return nil, Scheme{}, errors.Join(wrong...)
	}
	return u, scheme, nil
}

// Open opens the feature store that the URL names, with the registry that [New] returns. [Registry.WithLogger] is for stores that
// do not log to slog.Default().
func Open(ctx context.Context, rawURL string) (Backend, error) { return New().Open(ctx, rawURL) }

// OpenBigSegments opens the big segment store that the URL names, with the registry that [New] returns.
func OpenBigSegments(ctx context.Context, rawURL string) (BigSegments, error) {
	return New().OpenBigSegments(ctx, rawURL)
}
