package consulstore

import (
	"fmt"
	"slices"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

// Schemes returns the schemes of URLs that name a Consul agent, for a registry of package backends: consul:// is plain HTTP,
// consuls:// is HTTPS.
func Schemes() []storeurl.Scheme {
	parameters := append(storeurl.TLSParameters(), "consistency", "datacenter", "namespace", "partition", "token_env", "token_file")
	return []storeurl.Scheme{
		storeurl.NewScheme("consul", parameters, urlOptions, Open, OpenBigSegments),
		storeurl.NewScheme("consuls", parameters, urlOptions, Open, OpenBigSegments),
	}
}

// urlOptions reads a URL of either scheme.
func urlOptions(u *storeurl.URL) (*Options, error) {
	if u.User() != nil || u.Path() != "" && u.Path() != "/" {
		return nil, fmt.Errorf("%w: a Consul URL has neither user nor path; the prefix and the token are parameters", core.ErrInvalid)
	}
	opts := &Options{
		Prefix:      u.Text("prefix"),
		NoPrefix:    u.Has("prefix") && u.Text("prefix") == "",
		Datacenter:  u.Text("datacenter"),
		Namespace:   u.Text("namespace"),
		Partition:   u.Text("partition"),
		Consistency: urlConsistency(u),
		LiveTLS:     u.LiveTLS(),
		Logger:      u.Logger(),
	}
	secure := u.Scheme() == "consuls"
	if opts.LiveTLS != nil && !secure {
		u.Refuse("ca_file", "TLS needs a consuls:// URL")
	}
	if u.Host() != "" {
		opts.Address = "http://" + u.Host()
		if secure {
			opts.Address = "https://" + u.Host()
		}
	} else if secure {
		u.Refuse("ca_file", "a consuls:// URL needs a host")
	}
	if file, env := u.SecretPlace("token"); file != "" {
		opts.TokenFile = file // the adapter reads it itself, and again when it changes
	} else if env != "" {
		opts.Token, _ = u.Secret("token")
	}
	return opts, u.Check()
}

func urlConsistency(u *storeurl.URL) Consistency {
	names := []string{"", "default", "consistent", "stale"}
	modes := []Consistency{
		ConsistencyDefault, ConsistencyDefault, ConsistencyConsistent, ConsistencyStale,
	}
	i := slices.Index(names, u.Text("consistency"))
	if i < 0 {
		u.Refuse("consistency", "it is neither default, consistent nor stale")
		return ConsistencyDefault
	}
	return modes[i]
}
