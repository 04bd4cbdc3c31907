package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/redis/go-redis/v9/push"

	"github.com/cleatdev/cleat/core"
)

// pingInterval is how often a server has to show that the connection still carries something.
const pingInterval = 3 * time.Second

// feed is one connection on which a server tells of changes. What it uses is settled when it begins.
type feed struct {
	address  string // of the server's end
	tracking bool   // the server tells of every write, by client tracking
	keyspace bool   // the server may tell of writes, by keyspace notifications
	channel  bool   // writers of cleat's tell what they wrote, on their channel
}

// describe names what the feed uses.
func (f *feed) describe() string {
	var means []string
	for _, m := range []struct {
		used bool
		name string
	}{{f.tracking, "client tracking"}, {f.keyspace, "keyspace notifications"}, {f.channel, "cleat's channel"}} {
		if m.used {
			means = append(means, m.name)
		}
	}
	return strings.Join(means, " and ")
}

// feedPlan is what a feed is to tell of, and to whom.
type feedPlan struct {
	settings *redis.Options // of a client of that server; not changed
	names    keys
	kinds    []core.DataKind
	timeout  time.Duration // of every answer
	calls    *sync.WaitGroup
	tell     func(ctx context.Context, e event)
}

// open makes the connection and settles what it uses. When ctx ends, nothing on the connection waits any longer.
func (p *feedPlan) open(ctx context.Context) (*feed, *redis.Client, *redis.PubSub, error) {
	f := &feed{}
	client := redis.NewClient(p.clientSettings(ctx, f))
	sub := client.Subscribe(ctx)
	err := p.begin(ctx, f, sub)
	if err != nil {
		closeFeed(client, sub)
		return nil, nil, nil, err
	}
	return f, client, sub, nil
}

func closeFeed(client *redis.Client, sub *redis.PubSub) {
	_ = sub.Close()
	_ = client.Close()
}

// clientSettings are those of the store's client, for one connection that is never replaced.
func (p *feedPlan) clientSettings(ctx context.Context, f *feed) *redis.Options {
	o := *p.settings
	o.Protocol = 3
	o.PushNotificationProcessor = redis.NewPushNotificationProcessor()
	// It cannot fail: the processor is new.
	_ = o.PushNotificationProcessor.RegisterHandler("invalidate", &trackingHandler{ctx, f, p.tell}, false)
	o.Dialer = p.dialOnce(ctx, f, p.settings.Dialer)
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		if p.settings.OnConnect != nil {
			if err := p.settings.OnConnect(ctx, conn); err != nil {
				return err
			}
		}
		return p.chooseMeans(ctx, f, conn)
	}
	o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = p.timeout, p.timeout, true
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize, o.MinIdleConns, o.MaxActiveConns, o.PipelinePoolSize = 1, 0, 0, -1
	o.AutoPipelineOptions, o.Limiter, o.ClientSideCacheConfig, o.ClientSideCache = nil, nil, nil, nil
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &o
}

var errFeedEnded = errors.New("the connection was lost")

// dialOnce dials for one feed: the driver would replace a connection that was lost, and hide that something was missed. The
// connection is closed when ctx ends, because the driver watches no context while it waits for a server.
func (p *feedPlan) dialOnce(ctx context.Context, f *feed, dial dialer) dialer {
	var dialled atomic.Bool
	type outcome struct {
		conn net.Conn
		err  error
	}
	return func(bounded context.Context, network, address string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errFeedEnded
		}
		done := make(chan outcome, 1)
		p.calls.Add(1)
		go func() { // A dialer of the caller's may not watch the context either.
			defer p.calls.Done()
			conn, err := dial(toPrimary(bounded), network, address)
			if conn != nil && err == nil {
				context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			done <- outcome{conn, err}
		}()
		select {
		case made := <-done:
			if made.err == nil {
				f.address = made.conn.RemoteAddr().String()
			}
			return made.conn, made.err
		case <-bounded.Done():
			return nil, bounded.Err()
		}
	}
}

// chooseMeans turns client tracking on, or finds out whether there are keyspace notifications.
func (p *feedPlan) chooseMeans(ctx context.Context, f *feed, conn *redis.Conn) error {
	prefixes := trackedPrefixes(p.names, p.kinds)
	tracking := append(make([]any, 0, 4+2*len(prefixes)), "client", "tracking", "on", "bcast")
	for _, prefix := range prefixes {
		tracking = append(tracking, "prefix", prefix)
	}
	// The driver goes on with the old protocol if the server refuses the new one, and tracking would be in vain.
	err := conn.Do(ctx, "hello", 3).Err()
	if err == nil {
		err = conn.Do(ctx, tracking...).Err()
	}
	switch {
	case err == nil:
		f.tracking = true
		return nil
	case !isRefusal(err):
		return err
	}
	const setting = "notify-keyspace-events"
	config, err := conn.ConfigGet(ctx, setting).Result()
	if err != nil && !isRefusal(err) {
		return err
	}
	flags, known := config[setting]
	f.keyspace = !known || strings.Contains(flags, "K")
	return nil
}

// isRefusal reports whether a server does not know a command or does not let this user run it, which will not change soon.
func isRefusal(err error) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	return code == "NOPERM" || code == "ERR" || code == "NOPROTO"
}

// begin subscribes to the channels. A server that refuses everything cannot be watched.
func (p *feedPlan) begin(ctx context.Context, f *feed, sub *redis.PubSub) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	refusal, err := p.subscribe(ctx, sub, p.names.changes())
	if err != nil {
		return err
	}
	f.channel = refusal == nil
	if f.keyspace {
		ignored, err := p.subscribe(ctx, sub, p.keyspaceChannels()...)
		if err != nil {
			return err
		}
		f.keyspace = ignored == nil
	}
	if !f.tracking && !f.keyspace && !f.channel {
		return &unwatchableError{refusal}
	}
	return nil
}

// unwatchableError says that trying again is of no use.
type unwatchableError struct{ cause error }

func (e *unwatchableError) Error() string { return e.cause.Error() }

func (e *unwatchableError) Unwrap() error { return e.cause }

// subscribe waits until the server has confirmed, or refused, every channel.
func (p *feedPlan) subscribe(ctx context.Context, sub *redis.PubSub, channels ...string) (refusal, err error) {
	if err := sub.Subscribe(ctx, channels...); err != nil {
		return nil, err
	}
	for confirmed := 0; confirmed < len(channels); {
		reply, err := sub.ReceiveTimeout(ctx, p.timeout)
		switch {
		case isRefusal(err):
			return err, nil
		case err != nil:
			return nil, err
		}
		if _, ok := reply.(*redis.Subscription); ok { // Anything else is reported by and by with everything.
			confirmed++
		}
	}
	return nil, nil
}

const keyspaceInfix = "__:"

// keyspaceChannels are the channels of keyspace notifications about the kinds and the mark.
func (p *feedPlan) keyspaceChannels() []string {
	before := fmt.Sprintf("__keyspace@%d%s", p.settings.DB, keyspaceInfix)
	channels := append(make([]string, 0, 1+len(p.kinds)), before+p.names.inited())
	for _, kind := range p.kinds {
		channels = append(channels, before+p.names.items(kind))
	}
	return channels
}

// follow opens a feed and passes on what comes from it until it is lost.
func (p *feedPlan) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, client, sub, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer closeFeed(client, sub)
	p.tell(ctx, event{feed: f, what: feedBegan})
	var pinging sync.WaitGroup
	defer pinging.Wait()
	defer cancel()
	pinging.Go(func() { ping(ctx, sub, cancel) })
	for {
		reply, err := sub.ReceiveTimeout(ctx, pingInterval+p.timeout)
		if err != nil && !isRefusal(err) { // A user who may not ask for a sign of life is answered that, which is one.
			return err
		}
		if message, ok := reply.(*redis.Message); ok {
			p.tell(ctx, p.eventOf(f, message))
		}
	}
}

func (p *feedPlan) eventOf(f *feed, m *redis.Message) event {
	if m.Channel == p.names.changes() {
		return event{feed: f, what: itemTold, text: m.Payload}
	}
	_, redisKey, _ := strings.Cut(m.Channel, keyspaceInfix)
	return event{feed: f, what: keyChanged, text: redisKey}
}

// ping asks for a sign of life every now and then, so that reading fails if none comes.
func ping(ctx context.Context, sub *redis.PubSub, lost func()) {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if sub.Ping(ctx) != nil {
			lost()
			return
		}
	}
}

// trackingHandler receives the notices of client tracking.
type trackingHandler struct {
	ctx  context.Context // of the feed
	feed *feed
	tell func(context.Context, event)
}

// HandlePushNotification implements push.NotificationHandler. A notice has a list of keys, or none after a flush.
func (h *trackingHandler) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, notice []any) error {
	const length = 2 // its name and the list
	if len(notice) != length {
		return nil
	}
	redisKeys, some := notice[1].([]any)
	if !some {
		h.tell(h.ctx, event{feed: h.feed, what: allChanged})
		return nil
	}
	for _, redisKey := range redisKeys {
		if text, ok := redisKey.(string); ok {
			h.tell(h.ctx, event{feed: h.feed, what: keyChanged, text: text})
		}
	}
	return nil
}
