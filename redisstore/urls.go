package redisstore

import (
	"context"
	"crypto/tls"
	"net/url"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/storeurl"
)

const tlsServerName = "tls_server_name"

// Schemes returns the schemes of URLs that name Redis servers, for a registry of package backends: redis, redis+sentinel and
// redis+cluster, and the same with TLS: rediss, rediss+sentinel and rediss+cluster.
func Schemes() (schemes []storeurl.Scheme) {
	for _, base := range []string{"redis", "rediss"} {
		for _, t := range []topology{single, sentinel, cluster} {
			name := base
			if t != single {
				name += "+" + string(t)
			}
			schemes = append(schemes, storeurl.NewScheme(name, urlParameters(t), urlOptions,
				func(ctx context.Context, t urlTarget) (*Store, error) {
					return openURL(ctx, t.url, t.options, newStore)
				},
				func(ctx context.Context, t urlTarget) (*BigSegments, error) {
					return openURL(ctx, t.url, t.options, newBigSegments)
				}))
		}
	}
	return schemes
}

// urlTarget is what a URL of any scheme says.
type urlTarget struct {
	url     *url.URL
	options *Options
}

// urlParameters are all parameters of a scheme beyond the common ones.
func urlParameters(t topology) []string {
	parameters := slices.Concat(driverParameters(), storeurl.TLSParameters(), []string{tlsServerName, "password_env", "password_file"})
	switch t {
	case cluster:
		parameters = slices.DeleteFunc(parameters, func(name string) bool { return name == "db" })
	case sentinel:
		parameters = append(parameters, sentinelUsername, sentinelPassword, sentinelPassword+"_env", sentinelPassword+"_file")
	case single:
	}
	return parameters
}

// driverParameters are passed on, and checked where they are used.
func driverParameters() []string {
	return []string{
		"client_name", "conn_max_lifetime", "db", "dial_timeout", "min_idle_conns", "pool_size", "pool_timeout", "protocol",
	}
}

// urlOptions returns the URL without our parameters, and in the options what is read from files and variables.
func urlOptions(u *storeurl.URL) (urlTarget, error) {
	opts := &Options{
		Prefix:              u.Text("prefix"),
		NoPrefix:            u.Has("prefix") && u.Text("prefix") == "",
		LiveTLS:             urlTLS(u),
		Credentials:         urlCredentials(u, "password", u.User().Username()),
		SentinelCredentials: urlCredentials(u, sentinelPassword, u.Text(sentinelUsername)),
		Logger:              u.Logger(),
	}
	passedOn := url.Values{}
	for _, name := range append(driverParameters(), sentinelUsername, sentinelPassword) {
		if u.Has(name) {
			passedOn.Set(name, u.Text(name))
		}
	}
	target := u.Parsed()
	if opts.Credentials != nil {
		if inURL, _ := u.User().Password(); inURL != "" {
			u.Refuse("password", "the URL has a password before its host, and another in a file or variable; keep one of them")
		}
		target.User = nil
	}
	if opts.SentinelCredentials != nil {
		if u.Has(sentinelPassword) {
			u.Refuse(sentinelPassword, "a file or variable says the same; keep one of them")
		}
		passedOn.Del(sentinelUsername)
	}
	target.RawQuery = passedOn.Encode()
	refuseTwoDatabases(u)
	return urlTarget{target, opts}, u.Check()
}

// urlTLS is [storeurl.URL.LiveTLS] with tls_server_name.
func urlTLS(u *storeurl.URL) func() *tls.Config {
	live, name := u.LiveTLS(), u.Text(tlsServerName)
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
		u.Refuse(parameter, "TLS needs a rediss:// URL")
	}
	return live
}

// urlCredentials returns what gives user and password of the next connection if a file or variable holds the password of the given
// name, and nil if none does.
func urlCredentials(u *storeurl.URL, name, username string) func(context.Context) (username, password string, err error) {
	current := u.LiveSecret(name)
	if current == nil {
		return nil
	}
	return func(context.Context) (string, string, error) { return username, current(), nil }
}

// refuseTwoDatabases refuses a number in the path, behind the name of the primary for Sentinels, beside the parameter db.
func refuseTwoDatabases(u *storeurl.URL) {
	inPath := strings.Trim(u.Path(), "/")
	if strings.HasSuffix(u.Scheme(), "+sentinel") {
		_, inPath, _ = strings.Cut(inPath, "/")
	}
	if inPath != "" && u.Has("db") {
		u.Refuse("db", "the path names a database too; keep one of them")
	}
}
