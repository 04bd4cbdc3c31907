package memorystore

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

// Schemes returns the scheme memory://, for a registry of package backends.
func Schemes() []storeurl.Scheme {
	return []storeurl.Scheme{storeurl.NewScheme(
		"memory", nil, urlOptions,
		func(_ context.Context, opts *Options) (*Store, error) { return New(nil, opts), nil },
		func(_ context.Context, opts *Options) (*BigSegments, error) { return NewBigSegments(nil, opts), nil },
	)}
}

func urlOptions(u *storeurl.URL) (*Options, error) {
	if u.Host() != "" || u.User() != nil || u.Path() != "" && u.Path() != "/" {
		return nil, fmt.Errorf("%w: memory:// has neither host nor path; each store has a database of its own", core.ErrInvalid)
	}
	return &Options{Prefix: u.Text("prefix")}, u.Check()
}
