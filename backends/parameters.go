package backends

import (
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/storeurl"
)

const (
	paramPrefix         = "prefix"
	paramCache          = "cache"
	paramCapacity       = "capacity"
	paramMaxStale       = "max_stale"
	paramWatch          = "watch"
	paramReadTimeout    = "read_timeout"
	paramReadAllTimeout = "read_all_timeout"
	paramWriteTimeout   = "write_timeout"
	paramInitTimeout    = "init_timeout"
)

func commonParameters() []string {
	return []string{
		paramCache, paramCapacity, paramInitTimeout, paramMaxStale, paramPrefix, paramReadAllTimeout,
		paramReadTimeout, paramWatch, paramWriteTimeout,
	}
}

// cacheOptions reads the parameters about the cache.
func cacheOptions(u *storeurl.URL) caching.Options {
	opts := caching.Options{
		Capacity:       u.Int(paramCapacity),
		MaxStale:       u.Duration(paramMaxStale),
		ReadTimeout:    u.Duration(paramReadTimeout),
		ReadAllTimeout: u.Duration(paramReadAllTimeout),
		WriteTimeout:   u.Duration(paramWriteTimeout),
		InitTimeout:    u.Duration(paramInitTimeout),
		DisableWatch:   !u.Bool(paramWatch, true),
	}
	switch mode := u.Text(paramCache); {
	case !u.Has(paramCache):
	case mode == "off":
		opts.Mode = caching.Off()
		refuseWithoutCache(u)
	case mode == "forever":
		opts.Mode = caching.Forever()
	default:
		ttl, err := time.ParseDuration(mode)
		if err != nil || ttl <= 0 {
			u.Refuse(paramCache, "it is neither off, forever nor a duration such as 30s")
		}
		opts.Mode = caching.TTL(ttl)
	}
	return opts
}

// refuseWithoutCache refuses what has no effect if nothing is cached.
func refuseWithoutCache(u *storeurl.URL) {
	for _, name := range []string{paramCapacity, paramMaxStale} {
		if u.Has(name) {
			u.Refuse(name, "it has no effect beside cache=off; remove one of the two")
		}
	}
}
