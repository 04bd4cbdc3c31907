package backends

import (
	"context"
	"net/url"
	"slices"

	"github.com/cleatdev/cleat/redisstore"
)

// redisTarget is what a redis:// or rediss:// URL says.
type redisTarget struct {
	url     string
	options *redisstore.Options
}

func redisScheme() Scheme {
	parameters := slices.Concat(redisDriverParameters(), tlsParameters(), []string{"password_env", "password_file"})
	return scheme(parameters, redisOptions,
		func(ctx context.Context, t redisTarget) (*redisstore.Store, error) {
			return redisstore.Open(ctx, t.url, t.options)
		},
		func(ctx context.Context, t redisTarget) (*redisstore.BigSegments, error) {
			return redisstore.OpenBigSegments(ctx, t.url, t.options)
		})
}

// redisDriverParameters are passed on to redisstore, which checks their values.
func redisDriverParameters() []string {
	return []string{"client_name", "db", "dial_timeout", "min_idle_conns", "pool_size", "pool_timeout", "protocol"}
}

// redisOptions returns the URL without our parameters and with the password from wherever it is.
func redisOptions(u *URL) (redisTarget, error) {
	opts := &redisstore.Options{
		Prefix:       u.Text(paramPrefix),
		NoPrefix:     u.Has(paramPrefix) && u.Text(paramPrefix) == "",
		ReadTimeout:  u.Duration(paramReadTimeout),
		WriteTimeout: u.Duration(paramWriteTimeout),
		InitTimeout:  u.Duration(paramInitTimeout),
		TLS:          u.tls(),
	}
	if opts.TLS != nil && u.Scheme() != "rediss" {
		u.fail("ca_file", "TLS needs a rediss:// URL")
	}
	driver := url.Values{}
	for _, name := range redisDriverParameters() {
		if u.Has(name) {
			driver.Set(name, u.Text(name))
		}
	}
	target := url.URL{
		Scheme: u.Scheme(), User: u.parsed.User, Host: u.parsed.Host, Path: u.parsed.Path, RawQuery: driver.Encode(),
	}
	if password, found := u.Secret("password"); found {
		target.User = url.UserPassword(u.parsed.User.Username(), password)
	}
	return redisTarget{target.String(), opts}, u.Check()
}
