package backends

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/redisstore"
	"github.com/cleatdev/cleat/sqlitestore"
)

// opened makes an interface of a store, nil if there was an error.
func opened[T any, S any](store *S, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return any(store).(T), nil
}

func memoryScheme() Scheme {
	options := func(u *URL) (*memorystore.Options, error) {
		if u.Host() != "" || u.Path() != "" && u.Path() != "/" {
			return nil, fmt.Errorf("%w: memory:// has neither host nor path; each store has a database of its own", core.ErrInvalid)
		}
		return &memorystore.Options{Prefix: u.Text(paramPrefix)}, u.Check()
	}
	return Scheme{
		OpenStore: func(_ context.Context, u *URL) (core.FeatureStoreCore, error) {
			opts, err := options(u)
			if err != nil {
				return nil, err
			}
			return memorystore.New(nil, opts), nil
		},
		OpenBigSegments: func(_ context.Context, u *URL) (core.BigSegmentStore, error) {
			opts, err := options(u)
			if err != nil {
				return nil, err
			}
			return memorystore.NewBigSegments(nil, opts), nil
		},
	}
}

func sqliteScheme() Scheme {
	options := func(u *URL) (path string, opts *sqlitestore.Options, err error) {
		if u.Host() != "" {
			return "", nil, fmt.Errorf("%w: the path of a SQLite URL begins after three slashes, as in sqlite:///var/lib/app/flags.db",
				core.ErrInvalid)
		}
		return u.Path(), &sqlitestore.Options{
			Prefix:       u.Text(paramPrefix),
			BusyTimeout:  u.Duration("busy_timeout"),
			ReadTimeout:  u.Duration(paramReadTimeout),
			WriteTimeout: u.Duration(paramWriteTimeout),
			InitTimeout:  u.Duration(paramInitTimeout),
			ReadOnly:     u.Bool("read_only", false),
		}, u.Check()
	}
	return Scheme{
		Parameters: []string{"busy_timeout", "read_only"},
		OpenStore: func(ctx context.Context, u *URL) (core.FeatureStoreCore, error) {
			path, opts, err := options(u)
			if err != nil {
				return nil, err
			}
			return opened[core.FeatureStoreCore](sqlitestore.New(ctx, path, opts))
		},
		OpenBigSegments: func(ctx context.Context, u *URL) (core.BigSegmentStore, error) {
			path, opts, err := options(u)
			if err != nil {
				return nil, err
			}
			return opened[core.BigSegmentStore](sqlitestore.NewBigSegments(ctx, path, opts))
		},
	}
}

func redisScheme() Scheme {
	return Scheme{
		Parameters: append(redisDriverParameters(), "ca_file", "cert_file", "key_file", "password_env", "password_file"),
		OpenStore: func(ctx context.Context, u *URL) (core.FeatureStoreCore, error) {
			address, opts, err := redisOptions(u)
			if err != nil {
				return nil, err
			}
			return opened[core.FeatureStoreCore](redisstore.Open(ctx, address, opts))
		},
		OpenBigSegments: func(ctx context.Context, u *URL) (core.BigSegmentStore, error) {
			address, opts, err := redisOptions(u)
			if err != nil {
				return nil, err
			}
			return opened[core.BigSegmentStore](redisstore.OpenBigSegments(ctx, address, opts))
		},
	}
}

// redisDriverParameters are passed on to redisstore, which checks their values.
func redisDriverParameters() []string {
	return []string{"client_name", "db", "dial_timeout", "min_idle_conns", "pool_size", "pool_timeout", "protocol"}
}

// redisOptions returns the URL without our parameters and with the password from wherever it is.
func redisOptions(u *URL) (address string, opts *redisstore.Options, err error) {
	opts = &redisstore.Options{
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
	return target.String(), opts, u.Check()
}

// tls reads ca_file, cert_file and key_file; nil if none of them is there.
func (u *URL) tls() *tls.Config {
	caFile, certFile, keyFile := u.Text("ca_file"), u.Text("cert_file"), u.Text("key_file")
	if caFile+certFile+keyFile == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			u.fail("ca_file", "%w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if err == nil && !config.RootCAs.AppendCertsFromPEM(pem) {
			u.fail("ca_file", "%s holds no certificate in PEM form", caFile)
		}
	}
	switch {
	case certFile == "" && keyFile == "":
	case certFile == "" || keyFile == "":
		u.fail("cert_file", "cert_file and key_file belong together")
	default:
		certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			u.fail("cert_file", "%w", err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config
}
