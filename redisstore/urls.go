package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/cleatdev/cleat/core"
)

// urlParameters are the query parameters of a URL, all of them known to the driver.
func urlParameters() []string {
	return []string{
		"client_name", "conn_max_idle_time", "conn_max_lifetime", "db", "dial_timeout", "max_active_conns",
		"max_idle_conns", "max_retries", "min_idle_conns", "pool_size", "pool_timeout", "protocol",
	}
}

// newOwnClient makes the client of a store that was given a URL. Dialling ends when closing does.
func newOwnClient(closing context.Context, rawURL string, o *Options) (*redis.Client, error) {
	settings, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if o.TLS != nil {
		if settings.TLSConfig == nil {
			return nil, fmt.Errorf("redisstore: %w: Options.TLS needs a rediss:// URL", core.ErrInvalid)
		}
		config := o.TLS.Clone()
		setDefault(&config.ServerName, settings.TLSConfig.ServerName)
		settings.TLSConfig = config
	}
	// Contexts set the deadlines; the sockets' own are a fence behind them.
	settings.ContextTimeoutEnabled = true
	longest := max(o.ReadTimeout, o.WriteTimeout, o.InitTimeout)
	settings.ReadTimeout, settings.WriteTimeout = longest, longest
	setDefault(&settings.DialTimeout, o.ReadTimeout)
	// An outage is reported to the caller, who knows what to do, instead of being waited out here.
	settings.DialerRetries = 1
	setDefault(&settings.MaxRetries, 1)
	settings.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	settings.Dialer = newDialer(closing, settings.DialTimeout, settings.TLSConfig)
	return redis.NewClient(settings), nil
}

// parseURL reads a redis:// or rediss:// URL. No part of the URL is repeated in an error, because a password with
// unescaped characters can end up in any of them.
func parseURL(rawURL string) (*redis.Options, error) {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("redisstore: %w: the URL "+format, append([]any{core.ErrInvalid}, args...)...)
	}
	parsed, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, refuse("cannot be parsed; it must look like redis://user:password@host:6379/0, " +
			"with special characters of the password percent-encoded")
	case parsed.Scheme != "redis" && parsed.Scheme != "rediss":
		return nil, refuse("must begin with redis:// or, for TLS, rediss://")
	case parsed.Hostname() == "":
		return nil, refuse("has no host")
	case parsed.Fragment != "":
		return nil, refuse("has a fragment; percent-encode the '#' of a password as %%23")
	}
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return nil, refuse("has a query that cannot be parsed")
	}
	if err := checkParameters(query); err != nil {
		return nil, refuse("%w", err)
	}
	settings, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, refuse("has a path that is not a database number, such as /0")
	}
	return settings, nil
}

// checkParameters names the known parameters if there is an unknown one, and the one whose value is wrong. It asks the
// driver about each alone.
func checkParameters(query url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(urlParameters(), name) {
			return errors.New("has an unknown parameter; known are " + strings.Join(urlParameters(), ", "))
		}
		alone := url.Values{name: query[name]}
		if _, err := redis.ParseURL("redis://localhost?" + alone.Encode()); err != nil {
			return fmt.Errorf("has an unusable value for the parameter %s", name)
		}
	}
	return nil
}
