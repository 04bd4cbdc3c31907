package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/cleatdev/cleat/core"
)

const (
	// answerTimeout ends what no caller's context does: dialling, and waiting for an answer about a Cluster or while a watch begins.
	answerTimeout = 2 * time.Second

	// fence ends the waiting for an answer on a socket if no context does.
	fence = 65 * time.Second

	// topologyInterval is how often a Cluster is asked which node has which slots when nothing went wrong.
	topologyInterval = 15 * time.Second
)

// newClient makes the client of a store that was given a URL. Dialling ends when the store is closed.
func (t *target) newClient(d *database) (redis.UniversalClient, error) {
	if err := t.configure(&d.options); err != nil {
		return nil, err
	}
	s := t.settings
	s.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	// Contexts set the deadlines; the sockets' own are a fence behind them.
	s.ContextTimeoutEnabled, s.ReadTimeout, s.WriteTimeout = true, fence, fence
	if s.DialTimeout <= 0 {
		s.DialTimeout = answerTimeout
	}
	// An outage is reported to the caller, who knows what to do, instead of being waited out here.
	s.DialerRetries = 1
	s.Dialer = unfailing(newDialer(d.closing, s.DialTimeout, t.liveTLS, nil))
	switch t.topology {
	case cluster:
		return t.newClusterClient(), nil
	case sentinel:
		s.Dialer = unfailing(newSentinels(d, t).dialPrimary)
		s.Addr = "the primary " + t.primary
	case single:
	}
	s.MaxRetries = cmp.Or(s.MaxRetries, 1)
	return redis.NewClient(s), nil
}

// configure sets TLS and credentials.
func (t *target) configure(o *Options) error {
	refuse := func(text string) error { return fmt.Errorf("redisstore: %w: %s", core.ErrInvalid, text) }
	s := t.settings
	switch {
	case !t.tls && o.LiveTLS != nil:
		return refuse("Options.TLS and LiveTLS need a rediss:// URL")
	case o.Credentials != nil && s.Username+s.Password != "":
		return refuse("Options.Credentials and a user or password in the URL exclude each other")
	case o.SentinelCredentials != nil && t.topology != sentinel:
		return refuse("Options.SentinelCredentials needs a redis+sentinel:// URL")
	case o.SentinelCredentials != nil && t.sentinelUsername+t.sentinelPassword != "":
		return refuse("Options.SentinelCredentials and a user or password of the Sentinels in the URL exclude each other")
	}
	if t.tls {
		t.liveTLS = o.LiveTLS
		if t.liveTLS == nil {
			t.liveTLS = func() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }
		}
	}
	s.CredentialsProviderContext = credentialsProvider(o.Credentials)
	t.sentinelCredentials = credentialsProvider(o.SentinelCredentials)
	return nil
}

type credentials func(ctx context.Context) (username, password string, err error)

// credentialsProvider keeps a password that was returned together with an error out of the text of that error.
func credentialsProvider(hook credentials) credentials {
	if hook == nil {
		return nil
	}
	return func(ctx context.Context) (username, password string, err error) {
		username, password, err = hook(ctx)
		if err != nil {
			return "", "", &credentialsError{cause: err, password: password}
		}
		return username, password, nil
	}
}

func (t *target) newClusterClient() redis.UniversalClient {
	s := t.settings
	client := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs:                      t.addresses,
		Username:                   s.Username,
		Password:                   s.Password,
		CredentialsProviderContext: s.CredentialsProviderContext,
		Dialer:                     s.Dialer,
		ClientName:                 s.ClientName,
		Protocol:                   s.Protocol,
		ConnMaxIdleTime:            s.ConnMaxIdleTime,
		ConnMaxLifetime:            s.ConnMaxLifetime,
		DialTimeout:                s.DialTimeout,
		DialerRetries:              s.DialerRetries,
		MaxActiveConns:             s.MaxActiveConns,
		MaxIdleConns:               s.MaxIdleConns,
		MinIdleConns:               s.MinIdleConns,
		PoolSize:                   s.PoolSize,
		PoolTimeout:                s.PoolTimeout,
		ReadTimeout:                s.ReadTimeout,
		WriteTimeout:               s.WriteTimeout,
		ContextTimeoutEnabled:      s.ContextTimeoutEnabled,
		MaintNotificationsConfig:   s.MaintNotificationsConfig,
		ClusterStateReloadInterval: topologyInterval,
		// No command of ours is for more than one server, so that the driver need not ask for descriptions of commands.
		DisableRoutingPolicies: true,
	})
	client.OnNewNode(func(node *redis.Client) { node.AddHook(topologyDeadline{}) })
	return client
}

// topologyDeadline is a deadline for the question which node has which slots. The driver asks it in the background and
// without one, and as long as a node does not answer it asks no other.
type topologyDeadline struct{}

// DialHook implements redis.Hook.
func (topologyDeadline) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (topologyDeadline) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "cluster" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, answerTimeout)
			defer cancel()
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (topologyDeadline) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
