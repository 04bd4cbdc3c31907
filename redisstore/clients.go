package redisstore

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/cleatdev/cleat/core"
)

// topologyInterval is how often a Cluster is asked which node has which slots when nothing went wrong.
const topologyInterval = 15 * time.Second

// newOwnClient makes the client of a store that was given a URL. Dialling ends when closing does.
func newOwnClient(closing context.Context, rawURL string, o *Options) (redis.UniversalClient, error) {
	t, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	if err := t.configure(closing, o); err != nil {
		return nil, err
	}
	switch t.topology {
	case sentinel:
		return t.newSentinelClient(closing), nil
	case cluster:
		return t.newClusterClient(o), nil
	default:
		return redis.NewClient(t.settings), nil
	}
}

// configure sets what is the same in all topologies.
func (t *target) configure(closing context.Context, o *Options) error {
	settings := t.settings
	if err := t.secure(o.TLS); err != nil {
		return err
	}
	if o.Credentials != nil {
		if settings.Username != "" || settings.Password != "" {
			return fmt.Errorf("redisstore: %w: Options.Credentials and a user or password in the URL exclude each other", core.ErrInvalid)
		}
		settings.CredentialsProviderContext = credentialsProvider(o.Credentials)
	}
	// Contexts set the deadlines; the sockets' own are a fence behind them.
	settings.ContextTimeoutEnabled = true
	longest := max(o.ReadTimeout, o.ReadAllTimeout, o.WriteTimeout, o.InitTimeout)
	settings.ReadTimeout, settings.WriteTimeout = longest, longest
	setDefault(&settings.DialTimeout, o.ReadTimeout)
	// An outage is reported to the caller, who knows what to do, instead of being waited out here.
	settings.DialerRetries = 1
	if t.topology != cluster {
		setDefault(&settings.MaxRetries, 1)
	}
	settings.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	settings.Dialer = newDialer(closing, settings.DialTimeout, settings.TLSConfig)
	if t.topology == sentinel {
		patience := min(settings.DialTimeout, o.ReadTimeout) / sentinelShare
		settings.Dialer = dialSentinels(patience, newDialer(closing, patience, settings.TLSConfig), settings.Dialer)
	}
	return nil
}

// secure sets the TLS configuration, if the URL asks for one. Of several servers, each is verified by the name under which it
// is dialled.
func (t *target) secure(replacement *tls.Config) error {
	config := t.settings.TLSConfig
	switch {
	case config == nil && replacement != nil:
		return fmt.Errorf("redisstore: %w: Options.TLS needs a rediss:// URL", core.ErrInvalid)
	case config == nil:
		return nil
	case t.topology != single:
		config.ServerName = ""
	}
	if replacement != nil {
		name := config.ServerName
		config = replacement.Clone()
		setDefault(&config.ServerName, name)
	}
	t.settings.TLSConfig = config
	return nil
}

// universal returns the settings in the form of which the driver makes those of every topology.
func (t *target) universal() *redis.UniversalOptions {
	s := t.settings
	return &redis.UniversalOptions{
		Addrs:                      t.addresses,
		MasterName:                 t.primary,
		SentinelUsername:           t.sentinelUsername,
		SentinelPassword:           t.sentinelPassword,
		Username:                   s.Username,
		Password:                   s.Password,
		CredentialsProviderContext: s.CredentialsProviderContext,
		DB:                         s.DB,
		Dialer:                     s.Dialer,
		TLSConfig:                  s.TLSConfig,
		ClientName:                 s.ClientName,
		Protocol:                   s.Protocol,
		ConnMaxIdleTime:            s.ConnMaxIdleTime,
		ConnMaxLifetime:            s.ConnMaxLifetime,
		DialTimeout:                s.DialTimeout,
		DialerRetries:              s.DialerRetries,
		MaxActiveConns:             s.MaxActiveConns,
		MaxIdleConns:               s.MaxIdleConns,
		MaxRetries:                 s.MaxRetries,
		MinIdleConns:               s.MinIdleConns,
		PoolSize:                   s.PoolSize,
		PoolTimeout:                s.PoolTimeout,
		ReadTimeout:                s.ReadTimeout,
		WriteTimeout:               s.WriteTimeout,
		ContextTimeoutEnabled:      s.ContextTimeoutEnabled,
		MaintNotificationsConfig:   s.MaintNotificationsConfig,
	}
}

func (t *target) newSentinelClient(closing context.Context) redis.UniversalClient {
	client := redis.NewFailoverClient(t.universal().Failover())
	client.AddHook(dialGuard{closing})
	return client
}

func (t *target) newClusterClient(o *Options) redis.UniversalClient {
	settings := t.universal().Cluster()
	settings.ClusterStateReloadInterval = topologyInterval
	// No command of ours is for more than one server, so that the driver need not ask for descriptions of commands.
	settings.DisableRoutingPolicies = true
	client := redis.NewClusterClient(settings)
	client.OnNewNode(func(node *redis.Client) { node.AddHook(topologyDeadline(o.ReadTimeout)) })
	return client
}

// credentialsProvider keeps a password that was returned together with an error out of the text of that error.
func credentialsProvider(
	hook func(context.Context) (username, password string, err error),
) func(context.Context) (username, password string, err error) {
	return func(ctx context.Context) (username, password string, err error) {
		username, password, err = hook(ctx)
		if err != nil {
			return "", "", &credentialsError{cause: err, password: password}
		}
		return username, password, nil
	}
}
