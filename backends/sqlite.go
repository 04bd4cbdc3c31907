package backends

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/sqlitestore"
)

// sqliteTarget is what a sqlite:// URL says.
type sqliteTarget struct {
	path    string
	options *sqlitestore.Options
}

func sqliteScheme() Scheme {
	return scheme([]string{"busy_timeout", "read_only"}, sqliteOptions,
		func(ctx context.Context, t sqliteTarget) (*sqlitestore.Store, error) {
			return sqlitestore.New(ctx, t.path, t.options)
		},
		func(ctx context.Context, t sqliteTarget) (*sqlitestore.BigSegments, error) {
			return sqlitestore.NewBigSegments(ctx, t.path, t.options)
		})
}

func sqliteOptions(u *URL) (sqliteTarget, error) {
	if u.Host() != "" || u.parsed.User != nil {
		return sqliteTarget{}, fmt.Errorf("%w: the path of a SQLite URL begins after three slashes, as in "+
			"sqlite:///var/lib/app/flags.db", core.ErrInvalid)
	}
	return sqliteTarget{u.Path(), &sqlitestore.Options{
		Prefix:      u.Text(paramPrefix),
		Logger:      u.Logger(),
		BusyTimeout: u.Duration("busy_timeout"),
		ReadOnly:    u.Bool("read_only", false),
	}}, u.Check()
}
