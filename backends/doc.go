// Package backends opens the store that a URL names, so that a deployment picks its database with one string.
//
//	stores := backends.New(redisstore.Schemes(), sqlitestore.Schemes())
//	backend, err := stores.Open(ctx, "redis://localhost:6379?prefix=app")
//
// It imports no adapter: a [Registry] opens what it was made of, and a program links the drivers of the adapters that it registers
// and no others. Package backends/all registers every adapter of this module. These are the URLs that they open:
//
//	redis://user@host:6379/0?prefix=app&password_file=/run/secrets/redis
//	rediss://host:6380?ca_file=/etc/ssl/redis-ca.pem
//	redis+sentinel://host1:26379,host2:26379/mymaster/0?password_file=/run/secrets/redis
//	redis+cluster://host1:6379,host2:6379?prefix={app}
//	consul://agent:8500?token_file=/run/secrets/consul
//	consuls://agent:8501?ca_file=/etc/ssl/consul-ca.pem&consistency=stale
//	dynamodb://flags-table?region=eu-central-1
//	sqlite:///var/lib/app/flags.db?cache=forever
//	memory://
//
// # Parameters
//
// All schemes, those of other modules included, understand
//
//   - prefix: what separates this store from others in the same database; each adapter has its own default
//   - cache: off, forever, or a time to live such as 30s; 15s by default (see package caching)
//   - capacity, max_stale: as in [caching.Options]; not beside cache=off
//   - watch: on (the default) or off: whether changes by others are followed where the database can tell of them
//   - read_timeout, write_timeout, init_timeout: durations such as 500ms, after which a call of the store has failed (see
//     [caching.Options]); of a big segment store, read_timeout is that of its queries
//   - read_all_timeout: the same for reading all items of a kind
//
// and some understand more, which an error about an unknown parameter lists. Durations are written as
// [time.ParseDuration] reads them.
//
// # Consul
//
// Big segments lie under the prefix cleat-big-segments by default, apart from flags: LaunchDarkly's writers delete every key
// that begins with their prefix when they fill a store. A prefix that is given for big segments must not begin with that of
// flags if such writers share the database, and one that begins with launchdarkly is refused.
//
// Requests follow HTTP_PROXY and HTTPS_PROXY. The proxy of a consul:// URL sees the token in clear: name the servers in NO_PROXY, or
// use consuls://.
//
// # DynamoDB
//
//   - consistency: strong (the default) or eventual
//   - region, endpoint: where the table is; by default where the environment says
//   - watch_interval: how often the change marker is looked at; 1s by default. It is paid for: see docs/sizing.md
//
// # Redis
//
// redis:// is a single server, redis+sentinel:// the primary that the listed Sentinels know by the name in the path, and
// redis+cluster:// a Redis Cluster of which the URL lists one node or more; rediss://, rediss+sentinel:// and
// rediss+cluster:// are the same with TLS, for which there are ca_file, cert_file, key_file and tls_server_name: the name that all
// certificates bear, for servers that announce addresses. To write flags to a Cluster needs a prefix with a hash tag, such as
// {app}; see package redisstore. All take
//
//   - client_name, conn_max_lifetime, dial_timeout, min_idle_conns, pool_size, pool_timeout, protocol: as the driver does
//   - db: the database number, which may be in the path instead; not for a Cluster
//   - password_file, password_env: the password of the servers that hold the data
//   - sentinel_username, sentinel_password, sentinel_password_file, sentinel_password_env: for Sentinels that want one
//
// # Secrets
//
// A password may stand in the URL, but it need not: password_file names a file and password_env an environment variable
// that holds it; token_file and token_env do the same for Consul, and DynamoDB takes the standard chain of AWS. An
// empty secret is refused, since with it there would be no authentication. Errors name the scheme, the host or the SQLite
// file, and the parameter, and never a password, a file or a variable that should hold one, or a value that cannot be read.
// Where a password with unescaped characters may have torn the URL apart, they show nothing of it; an @ behind the host is
// therefore written as %40.
//
// # Files that are replaced
//
// What a URL names as a file (password_file, sentinel_password_file, token_file, ca_file, cert_file, key_file) is read when the
// store is opened, which fails if that is not possible, and again when a new connection needs it and the file has changed: written
// over, replaced, or reached through a symbolic link that leads to another file now, as in a secret that Kubernetes mounts. A
// connection that exists stays. A file that cannot be read or used for a moment leaves what it held before in use, and is logged
// once. Environment variables are read once.
//
// # Log
//
// Stores log to slog.Default(), or where [Registry.WithLogger] says; package config makes that the client's logger.
//
// # Errors
//
// An unknown scheme or parameter, and a value that cannot be read, is [core.ErrInvalid], and nothing has been opened. So is the
// scheme of an adapter of this module that is not registered; the error names the import that is missing. All else comes from the
// adapter.
//
// # Own adapters
//
// A [Registry] is a value, not a global. The adapters of this module return their schemes by a function Schemes, each a
// [storeurl.Scheme]; yours can do the same: [storeurl.NewScheme] makes one. Pass what it returns to [New] or all.Registry.
package backends
