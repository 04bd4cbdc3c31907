package backends

import (
	"context"
	"crypto/tls"
	"net/url"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/redisstore"
)

const (
	sentinelUsername = "sentinel_username"
	sentinelPassword = "sentinel_password"
	tlsServerName    = "tls_server_name"
)

// redisTarget is what a Redis URL of any scheme says.
type redisTarget struct {
	url     *url.URL
	options *redisstore.Options
}

// redisScheme is for a single server, or with "+sentinel" or "+cluster" in its name for several.
func redisScheme(topology string) Scheme {
	return scheme(redisParameters(topology), redisOptions,
		func(ctx context.Context, t redisTarget) (*redisstore.Store, error) {
			return redisstore.OpenURL(ctx, t.url, t.options)
		},
		func(ctx context.Context, t redisTarget) (*redisstore.BigSegments, error) {
			return redisstore.OpenBigSegmentsURL(ctx, t.url, t.options)
		})
}

// redisParameters are all parameters of a scheme beyond the common ones.
func redisParameters(topology string) []string {
	parameters := slices.Concat(redisDriverParameters(), tlsParameters(), []string{tlsServerName, "password_env", "password_file"})
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

// redisOptions returns the URL without our parameters, and in the options what is read from files and variables.
func redisOptions(u *URL) (redisTarget, error) {
	opts := &redisstore.Options{
		Prefix:              u.Text(paramPrefix),
		NoPrefix:            u.Has(paramPrefix) && u.Text(paramPrefix) == "",
		LiveTLS:             u.redisTLS(),
		Credentials:         u.credentials(),
		SentinelCredentials: u.sentinelCredentials(),
		Logger:              u.Logger(),
	}
	passedOn := url.Values{}
	for _, name := range append(redisDriverParameters(), sentinelUsername, sentinelPassword) {
		if u.Has(name) {
			passedOn.Set(name, u.Text(name))
		}
	}
	target := *u.parsed
	if opts.Credentials != nil {
		if inURL, _ := u.parsed.User.Password(); inURL != "" {
			u.fail("password", "the URL has a password before its host, and another in a file or variable; keep one of them")
		}
		target.User = nil
	}
	if opts.SentinelCredentials != nil {
		passedOn.Del(sentinelUsername)
	}
	target.RawQuery = passedOn.Encode()
	u.refuseTwoDatabases()
	return redisTarget{&target, opts}, u.Check()
}

// redisTLS is liveTLS with tls_server_name.
func (u *URL) redisTLS() func() *tls.Config {
	live, name := u.liveTLS(), u.Text(tlsServerName)
	parameter := "ca_file"
	if name != "" {
		files := live
		live, parameter = func() *tls.Config {
			config := &tls.Config{MinVersion: tls.VersionTLS12}
			if files != nil {
				config = files().Clone()
			}
			config.ServerName = name
			return config
		}, tlsServerName
	}
	if live != nil && !strings.HasPrefix(u.Scheme(), "rediss") {
		u.fail(parameter, "TLS needs a rediss:// URL")
	}
	return live
}

// sentinelCredentials is credentials for the Sentinels.
func (u *URL) sentinelCredentials() func(context.Context) (username, password string, err error) {
	current := u.LiveSecret(sentinelPassword)
	if current == nil {
		return nil
	}
	if u.Has(sentinelPassword) {
		u.fail(sentinelPassword, "a file or variable says the same; keep one of them")
	}
	username := u.Text(sentinelUsername)
	return func(context.Context) (string, string, error) { return username, current(), nil }
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
