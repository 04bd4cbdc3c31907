package backends

import (
	"fmt"
	"slices"

	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
)

func consulScheme() Scheme {
	parameters := append(tlsParameters(), "consistency", "datacenter", "namespace", "partition", "token_env", "token_file")
	return scheme(parameters, consulOptions, consulstore.Open, consulstore.OpenBigSegments)
}

// consulOptions reads a consul:// URL, which is plain HTTP, or a consuls:// one, which is HTTPS.
func consulOptions(u *URL) (*consulstore.Options, error) {
	if u.parsed.User != nil || u.Path() != "" && u.Path() != "/" {
		return nil, fmt.Errorf("%w: a Consul URL has neither user nor path; the prefix and the token are parameters", core.ErrInvalid)
	}
	opts := &consulstore.Options{
		Prefix:      u.Text(paramPrefix),
		NoPrefix:    u.Has(paramPrefix) && u.Text(paramPrefix) == "",
		Datacenter:  u.Text("datacenter"),
		Namespace:   u.Text("namespace"),
		Partition:   u.Text("partition"),
		Consistency: u.consistency(),
		LiveTLS:     u.liveTLS(),
	}
	opts.Logger = u.Logger()
	secure := u.Scheme() == "consuls"
	if opts.LiveTLS != nil && !secure {
		u.fail("ca_file", "TLS needs a consuls:// URL")
	}
	if u.Host() != "" {
		opts.Address = "http://" + u.Host()
		if secure {
			opts.Address = "https://" + u.Host()
		}
	} else if secure {
		u.fail("ca_file", "a consuls:// URL needs a host")
	}
	if file, env := u.secretPlace("token"); file != "" {
		opts.TokenFile = file // the adapter reads it itself, and again when it changes
	} else if env != "" {
		opts.Token, _ = u.Secret("token")
	}
	return opts, u.Check()
}

func (u *URL) consistency() consulstore.Consistency {
	names := []string{"", "default", "consistent", "stale"}
	modes := []consulstore.Consistency{
		consulstore.ConsistencyDefault, consulstore.ConsistencyDefault, consulstore.ConsistencyConsistent, consulstore.ConsistencyStale,
	}
	i := slices.Index(names, u.Text("consistency"))
	if i < 0 {
		u.fail("consistency", "it is neither default, consistent nor stale")
		return consulstore.ConsistencyDefault
	}
	return modes[i]
}
