package redisstore

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// topology is how the servers of a URL belong together.
type topology string

const (
	single   topology = ""
	sentinel topology = "+sentinel"
	cluster  topology = "+cluster"
)

const (
	redisPort    = "6379"
	sentinelPort = "26379"

	sentinelUsername = "sentinel_username"
	sentinelPassword = "sentinel_password"
)

// target is what a URL says.
type target struct {
	topology  topology
	addresses []string
	// settings are what all topologies have in common, in the form of a single server.
	settings *redis.Options
	// primary is the name by which Sentinels know the primary.
	primary                            string
	sentinelUsername, sentinelPassword string
}

// urlParameters are the query parameters of a URL that the driver knows.
func urlParameters(t topology) []string {
	names := []string{
		"client_name", "conn_max_idle_time", "conn_max_lifetime", "db", "dial_timeout", "max_active_conns",
		"max_idle_conns", "max_retries", "min_idle_conns", "pool_size", "pool_timeout", "protocol",
	}
	if t == cluster { // which has no databases, and repeats by itself
		return slices.DeleteFunc(names, func(name string) bool { return name == "db" || name == "max_retries" })
	}
	return names
}

func ownParameters(t topology) []string {
	if t == sentinel {
		return []string{sentinelPassword, sentinelUsername}
	}
	return nil
}

func refuseURL(format string, args ...any) error {
	return fmt.Errorf("redisstore: %w: the URL "+format, append([]any{core.ErrInvalid}, args...)...)
}

// parseURL reads a URL. No part of the URL is repeated in an error, because a password with unescaped characters can end
// up in any of them.
func parseURL(rawURL string) (*target, error) {
	scheme, _, _ := strings.Cut(rawURL, "://")
	base, kind, _ := strings.Cut(strings.ToLower(scheme), "+")
	t := &target{}
	if kind != "" {
		t.topology = topology("+" + kind)
	}
	if base != "redis" && base != "rediss" || !slices.Contains([]topology{single, sentinel, cluster}, t.topology) {
		return nil, refuseURL("must begin with redis://, redis+sentinel:// or redis+cluster:// or, for TLS, with " +
			"rediss://, rediss+sentinel:// or rediss+cluster://")
	}
	hosts := []string{}
	if t.topology != single {
		rawURL, hosts = cutHosts(rawURL)
	}
	parsed, err := url.Parse(rawURL)
	switch {
	case err != nil:
		return nil, refuseURL("cannot be parsed; it must look like redis://user:password@host:6379/0, " +
			"with special characters of the password percent-encoded")
	case parsed.Hostname() == "":
		return nil, refuseURL("has no host")
	case t.topology == single && strings.Contains(parsed.Host, ","):
		return nil, refuseURL("lists several hosts; begin it with redis+sentinel:// or redis+cluster://")
	case parsed.Fragment != "":
		return nil, refuseURL("has a fragment; percent-encode the '#' of a password as %%23")
	}
	if err := t.readHosts(append([]string{parsed.Host}, hosts...)); err != nil {
		return nil, err
	}
	parsed.Scheme = base
	if err := t.read(parsed); err != nil {
		return nil, err
	}
	return t, nil
}

// cutHosts takes all hosts but the first out of a URL, since package url knows of one only.
func cutHosts(rawURL string) (withFirst string, others []string) {
	begin := strings.Index(rawURL, "://") + len("://")
	end := len(rawURL)
	if i := strings.IndexAny(rawURL[begin:], "/?#"); i >= 0 {
		end = begin + i
	}
	if at := strings.LastIndex(rawURL[begin:end], "@"); at >= 0 {
		begin += at + 1
	}
	hosts := strings.Split(rawURL[begin:end], ",")
	return rawURL[:begin] + hosts[0] + rawURL[end:], hosts[1:]
}

func (t *target) readHosts(hosts []string) error {
	port := redisPort
	if t.topology == sentinel {
		port = sentinelPort
	}
	for _, host := range hosts {
		parsed, err := url.Parse("redis://" + host)
		if err != nil || parsed.Hostname() == "" || parsed.Host != host {
			return refuseURL("has a host that cannot be read; several are separated by commas, as in host:%s,host:%s", port, port)
		}
		if parsed.Port() == "" {
			host = net.JoinHostPort(parsed.Hostname(), port)
		}
		t.addresses = append(t.addresses, host)
	}
	return nil
}

// read reads everything but the hosts.
func (t *target) read(parsed *url.URL) error {
	query, err := url.ParseQuery(parsed.RawQuery)
	if err != nil {
		return refuseURL("has a query that cannot be parsed")
	}
	if err := t.checkParameters(query); err != nil {
		return refuseURL("%w", err)
	}
	if err := t.readPath(parsed); err != nil {
		return err
	}
	t.sentinelUsername, t.sentinelPassword = query.Get(sentinelUsername), query.Get(sentinelPassword)
	for _, name := range ownParameters(t.topology) {
		query.Del(name)
	}
	parsed.RawQuery = query.Encode()
	t.settings, err = redis.ParseURL(parsed.String())
	if err != nil {
		return refuseURL("has a path that is not a database number, such as /0")
	}
	return nil
}

// readPath takes from the path what is not a database number.
func (t *target) readPath(parsed *url.URL) error {
	switch t.topology {
	case single:
	case cluster:
		if parsed.Path != "" && parsed.Path != "/" && parsed.Path != "/0" {
			return refuseURL("has a path; a Redis Cluster has no numbered databases")
		}
	case sentinel:
		name, db, _ := strings.Cut(strings.TrimPrefix(parsed.Path, "/"), "/")
		if name == "" {
			return refuseURL("does not say by which name the Sentinels know the primary, as in redis+sentinel://host:26379/mymaster/0")
		}
		if _, err := strconv.ParseUint(db, 10, 31); db != "" && err != nil {
			return refuseURL("has a path that is not the name of a primary and a database number, such as /mymaster/0")
		}
		t.primary, parsed.Path, parsed.RawPath = name, "/"+db, ""
	}
	return nil
}

// checkParameters names the known parameters if there is an unknown one, and the one whose value is wrong. It asks the
// driver about each alone.
func (t *target) checkParameters(query url.Values) error {
	known, own := urlParameters(t.topology), ownParameters(t.topology)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if slices.Contains(own, name) {
			continue
		}
		if !slices.Contains(known, name) {
			return errors.New("has an unknown parameter; known are " + strings.Join(append(known, own...), ", "))
		}
		alone := url.Values{name: query[name]}
		if _, err := redis.ParseURL("redis://localhost?" + alone.Encode()); err != nil {
			return fmt.Errorf("has an unusable value for the parameter %s", name)
		}
	}
	return nil
}
