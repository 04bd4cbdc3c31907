package backends

import (
	"context"

	"github.com/cleatdev/cleat/core"
)

// scheme makes a Scheme of an adapter: options reads the URL, and the two others open a store with what it returns.
func scheme[O any, S core.FeatureStoreCore, B core.BigSegmentStore](
	parameters []string,
	options func(u *URL) (O, error),
	openStore func(ctx context.Context, options O) (S, error),
	openBigSegments func(ctx context.Context, options O) (B, error),
) Scheme {
	return Scheme{
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
