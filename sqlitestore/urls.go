package sqlitestore

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

// urlTarget is what a sqlite:// URL says.
type urlTarget struct {
	path    string
	options *Options
}

// Schemes returns the scheme of URLs that name a SQLite file, for a registry of package backends.
func Schemes() []storeurl.Scheme {
	return []storeurl.Scheme{storeurl.NewScheme(
		"sqlite", []string{"busy_timeout", "read_only"}, urlOptions,
		func(ctx context.Context, t urlTarget) (*Store, error) { return New(ctx, t.path, t.options) },
		func(ctx context.Context, t urlTarget) (*BigSegments, error) {
			return NewBigSegments(ctx, t.path, t.options)
		},
	)}
}

func urlOptions(u *storeurl.URL) (urlTarget, error) {
	if u.Host() != "" || u.User() != nil {
		return urlTarget{}, fmt.Errorf("%w: the path of a SQLite URL begins after three slashes, as in "+
			"sqlite:///var/lib/app/flags.db", core.ErrInvalid)
	}
	return urlTarget{u.Path(), &Options{
		Prefix:      u.Text("prefix"),
		Logger:      u.Logger(),
		BusyTimeout: u.Duration("busy_timeout"),
		ReadOnly:    u.Bool("read_only", false),
	}}, u.Check()
}
