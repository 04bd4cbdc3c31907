package storeurl

import (
	"context"

	"github.com/cleatdev/cleat/core"
)

// Scheme says how the URLs of one scheme are opened. An adapter returns a slice of them from a function Schemes, which package
// backends makes a registry of.
type Scheme struct {
	// Name is what URLs begin with, before the colon, such as redis+sentinel. Upper and lower case are the same.
	Name string
	// Parameters are the names of the query parameters that the scheme understands beyond the common ones.
	Parameters []string
	// OpenStore opens a feature store. It reads the URL, and opens nothing if [URL.Check] returns an error.
	OpenStore func(ctx context.Context, u *URL) (core.FeatureStoreCore, error)
	// OpenBigSegments opens a big segment store in the same way; nil if there is none for the scheme.
	OpenBigSegments func(ctx context.Context, u *URL) (core.BigSegmentStore, error)
}

// NewScheme makes a Scheme of what most adapters have: options reads the URL, and each of the two others opens a store with what
// options returns. The stores that they return with an error are dropped.
func NewScheme[O any, S core.FeatureStoreCore, B core.BigSegmentStore](
	name string,
	parameters []string,
	options func(u *URL) (O, error),
	openStore func(ctx context.Context, options O) (S, error),
	openBigSegments func(ctx context.Context, options O) (B, error),
) Scheme {
	return Scheme{
		Name:       name,
		Parameters: parameters,
		OpenStore: func(ctx context.Context, u *URL) (core.FeatureStoreCore, error) {
			o, err := options(u)
			if err != nil {
				return nil, err
			}
			store, err := openStore(ctx, o)
			if err != nil {
				return nil, err
			}
			return store, nil
		},
		OpenBigSegments: func(ctx context.Context, u *URL) (core.BigSegmentStore, error) {
			o, err := options(u)
			if err != nil {
				return nil, err
			}
			store, err := openBigSegments(ctx, o)
			if err != nil {
				return nil, err
			}
			return store, nil
		},
	}
}
