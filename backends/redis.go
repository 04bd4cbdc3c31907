package backends

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/redisstore"
)

const (
	sentinelUsername = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

// redisTarget is what a Redis URL of any scheme says.
type redisTarget struct {
	url     string
	options *redisstore.Options
}

// redisScheme is for a single server, or with "+sentinel" or "+cluster" in its name for several.
func redisScheme(topology string) Scheme {
	open := openRedis
	if topology == "+cluster" {
		open = openRedisCluster
	}
	return scheme(redisParameters(topology), redisOptions, open,
		func(ctx context.Context, t redisTarget) (*redisstore.BigSegments, error) {
			return redisstore.OpenBigSegments(ctx, t.url, t.options)
		})
}

func openRedis(ctx context.Context, t redisTarget) (core.FeatureStoreCore, error) {
	store, err := redisstore.Open(ctx, t.url, t.options)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// openRedisCluster returns the store that can do more where the prefix allows for it.
func openRedisCluster(ctx context.Context, t redisTarget) (core.FeatureStoreCore, error) {
	if t.options.HasHashTag() {
		return openRedis(ctx, t)
	}
	store, err := redisstore.OpenCluster(ctx, t.url, t.options)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// redisParameters are all parameters of a scheme beyond the common ones.
func redisParameters(topology string) []string {
	parameters := slices.Concat(redisDriverParameters(), tlsParameters(), []string{"password_env", "password_file"})
	switch topology {
	case "+cluster":
		parameters = slices.DeleteFunc(parameters, func(name string) bool { return name == "db" })
	case "+sentinel":
		parameters = append(parameters, sentinelUsername, sentinelPassword, sentinelPassword+"_env", sentinelPassword+"_file")
	}
	return parameters
}

// redisDriverParameters are passed on to redisstore, which checks their values.
func redisDriverParameters() []string {
	return []string{
		"client_name", "conn_max_lifetime", "db", "dial_timeout", "min_idle_conns", "pool_size", "pool_timeout", "protocol",
	}
}

// redisOptions returns the URL without our parameters and with the passwords from wherever they are.
func redisOptions(u *URL) (redisTarget, error) {
	opts := &redisstore.Options{
		Prefix:         u.Text(paramPrefix),
		NoPrefix:       u.Has(paramPrefix) && u.Text(paramPrefix) == "",
		ReadTimeout:    u.Duration(paramReadTimeout),
		ReadAllTimeout: u.Duration(paramReadAllTimeout),
		WriteTimeout:   u.Duration(paramWriteTimeout),
		InitTimeout:    u.Duration(paramInitTimeout),
		TLS:            u.tls(),
	}
	if opts.TLS != nil && !strings.HasPrefix(u.Scheme(), "rediss") {
		u.fail("ca_file", "TLS needs a rediss:// URL")
	}
	passedOn := url.Values{}
	for _, name := range append(redisDriverParameters(), sentinelUsername, sentinelPassword) {
		if u.Has(name) {
			passedOn.Set(name, u.Text(name))
		}
	}
	if password, found := u.Secret(sentinelPassword); found {
		if u.Has(sentinelPassword) {
			u.fail(sentinelPassword, "a file or variable says the same; keep one of them")
		}
		passedOn.Set(sentinelPassword, password)
	}
	target := url.URL{
		Scheme: u.Scheme(), User: u.parsed.User, Host: u.parsed.Host, Path: u.parsed.Path, RawQuery: passedOn.Encode(),
	}
	opts.Logger = u.Logger()
	u.refuseTwoDatabases()
	if password, found := u.Secret("password"); found {
		if inURL, _ := u.parsed.User.Password(); inURL != "" {
			u.fail("password", "the URL has a password before its host, and another in a file or variable; keep one of them")
		}
		target.User = url.UserPassword(u.parsed.User.Username(), password)
	}
	return redisTarget{target.String(), opts}, u.Check()
}

// refuseTwoDatabases refuses a number in the path, behind the name of the primary for Sentinels, beside the parameter db.
func (u *URL) refuseTwoDatabases() {
	inPath := strings.Trim(u.Path(), "/")
	if strings.HasSuffix(u.Scheme(), "+sentinel") {
		_, inPath, _ = strings.Cut(inPath, "/")
	}
	if inPath != "" && u.Has("db") {
		u.fail("db", "the path names a database too; keep one of them")
	}
}
