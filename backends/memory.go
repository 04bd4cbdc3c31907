package backends

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func memoryScheme() Scheme {
	return scheme(nil, memoryOptions,
		func(_ context.Context, opts *memorystore.Options) (*memorystore.Store, error) {
			return memorystore.New(nil, opts), nil
		},
		func(_ context.Context, opts *memorystore.Options) (*memorystore.BigSegments, error) {
			return memorystore.NewBigSegments(nil, opts), nil
		})
}

func memoryOptions(u *URL) (*memorystore.Options, error) {
	if u.Host() != "" || u.parsed.User != nil || u.Path() != "" && u.Path() != "/" {
		return nil, fmt.Errorf("%w: memory:// has neither host nor path; each store has a database of its own", core.ErrInvalid)
	}
	return &memorystore.Options{Prefix: u.Text(paramPrefix)}, u.Check()
}
