package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
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

// sentinels finds the primary: all are asked at once, each time that a connection is made, and the first answer counts. When one
// tells that another server has become the primary, connections to any other are closed. The driver's own way logs every
// failure to a log that is global, asks one alone as long as that answers in time, and takes no credentials that change.
type sentinels struct {
	*target
	database     *database
	dialSentinel dialer
	dialData     dialer

	mu       sync.Mutex
	known    []string                      // those of the URL, and those of which they told
	followed map[string]bool               // those that are listened to
	servers  map[string]context.Context    // by address, which end when another one has become the primary
	replaced map[string]context.CancelFunc // ends them
}

func newSentinels(d *database, t *target) *sentinels {
	s := &sentinels{
		target: t, database: d, dialSentinel: t.settings.Dialer, known: slices.Clone(t.addresses), followed: map[string]bool{},
		servers: map[string]context.Context{}, replaced: map[string]context.CancelFunc{},
	}
	s.dialData = newDialer(d.closing, t.settings.DialTimeout, t.liveTLS, s.server)
	return s
}

// dialPrimary is the dialer of the driver for the server that holds data.
func (s *sentinels) dialPrimary(ctx context.Context, network, _ string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.settings.DialTimeout)
	defer cancel()
	defer context.AfterFunc(s.database.closing, cancel)()
	address, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	return s.dialData(ctx, network, address)
}

// find returns the address of the primary.
func (s *sentinels) find(ctx context.Context) (address string, err error) {
	s.mu.Lock()
	known := slices.Clone(s.known)
	s.mu.Unlock()
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found, errs := make(chan string, len(known)), make(chan error, len(known))
	for _, sentinel := range known {
		asking.Go(func() {
			address, err := s.ask(ctx, sentinel)
			if err != nil {
				errs <- err
				return
			}
			found <- address
		})
	}
	var failed []error
	for len(failed) < len(known) {
		select {
		case address := <-found:
			return address, nil
		case err := <-errs:
			failed = append(failed, err)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("no Sentinel names the primary: %w", errors.Join(failed...))
}

// client is a client of one Sentinel, which is closed when ctx ends: the driver does not watch ctx while it waits for a server.
func (s *sentinels) client(ctx context.Context, sentinel string) (client *redis.SentinelClient, stop func()) {
	client = redis.NewSentinelClient(&redis.Options{
		Addr: sentinel, Dialer: s.dialSentinel, Username: s.sentinelUsername, Password: s.sentinelPassword,
		CredentialsProviderContext: s.sentinelCredentials, ClientName: s.settings.ClientName, DialTimeout: s.settings.DialTimeout,
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1, PoolSize: 1, PipelinePoolSize: -1,
		MaintNotificationsConfig: s.settings.MaintNotificationsConfig,
	})
	unregister := context.AfterFunc(ctx, func() { _ = client.Close() })
	return client, func() {
		unregister()
		_ = client.Close()
	}
}

// ask asks one Sentinel for the primary, and which others there are.
func (s *sentinels) ask(ctx context.Context, sentinel string) (address string, err error) {
	client, stop := s.client(ctx, sentinel)
	defer stop()
	primary, err := client.GetMasterAddrByName(ctx, s.primary).Result()
	if err != nil {
		return "", fmt.Errorf("sentinel %s: %w", sentinel, err)
	}
	s.follow(sentinel)
	if others, err := client.Sentinels(ctx, s.primary).Result(); err == nil {
		s.learn(others)
	}
	return net.JoinHostPort(primary[0], primary[1]), nil
}

func (s *sentinels) learn(others []map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range others {
		address := net.JoinHostPort(other["ip"], other["port"])
		if other["ip"] != "" && !slices.Contains(s.known, address) {
			s.known = append(s.known, address)
		}
	}
}

// follow listens to a Sentinel from now on.
func (s *sentinels) follow(sentinel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.followed[sentinel] || !s.database.beginBackground() {
		return
	}
	s.followed[sentinel] = true
	go func() {
		defer s.database.background.Done()
		s.listen(s.database.closing, sentinel)
	}()
}

// listen closes the connections to servers that are no primaries any more, until ctx ends. A connection to the Sentinel that
// is lost is made again by the driver.
func (s *sentinels) listen(ctx context.Context, sentinel string) {
	client, stop := s.client(ctx, sentinel)
	defer stop()
	sub := client.Subscribe(ctx, "+switch-master")
	defer func() { _ = sub.Close() }()
	messages := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case message, open := <-messages:
			if !open {
				return
			}
			// It is the name, the address and port before, and the address and port now.
			if words := strings.Fields(message.Payload); len(words) == 5 && words[0] == s.primary {
				s.switched(net.JoinHostPort(words[3], words[4]))
			}
		}
	}
}

// server returns a context that ends when another server than that at the address has become the primary.
func (s *sentinels) server(address string) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers[address] == nil {
		s.servers[address], s.replaced[address] = context.WithCancel(context.Background())
	}
	return s.servers[address]
}

func (s *sentinels) switched(primary string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for address, replaced := range s.replaced {
		if address != primary {
			replaced()
			delete(s.servers, address)
			delete(s.replaced, address)
		}
	}
}
