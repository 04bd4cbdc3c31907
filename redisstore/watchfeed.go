package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	channel  bool   // writers of cleat's tell what they write, on their channel

	named map[core.DataKind]bool // a message named an item of the kind, and the notice of it is to come
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

// open makes the connection and settles what it uses. When ctx ends, nothing on the connection waits any longer.
func (l *link) open(ctx context.Context) (*feed, *redis.Client, *redis.PubSub, error) {
	f := &feed{named: map[core.DataKind]bool{}}
	client := redis.NewClient(l.clientSettings(ctx, f))
	sub := client.Subscribe(ctx)
	err := l.begin(ctx, f, sub)
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
func (l *link) clientSettings(ctx context.Context, f *feed) *redis.Options {
	o := *l.settings
	o.Protocol = 3
	o.PushNotificationProcessor = redis.NewPushNotificationProcessor()
	// It cannot fail: the processor is new.
	_ = o.PushNotificationProcessor.RegisterHandler("invalidate", &trackingHandler{f, l.news}, false)
	o.Dialer = dialOnce(ctx, f, l.settings.Dialer)
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		if l.settings.OnConnect != nil {
			if err := l.settings.OnConnect(ctx, conn); err != nil {
				return err
			}
		}
		return l.chooseMeans(ctx, f, conn)
	}
	o.ReadTimeout, o.WriteTimeout, o.ContextTimeoutEnabled = answerTimeout, answerTimeout, true
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize, o.MinIdleConns, o.MaxActiveConns, o.PipelinePoolSize = 1, 0, 0, -1
	o.AutoPipelineOptions, o.Limiter, o.ClientSideCacheConfig, o.ClientSideCache = nil, nil, nil, nil
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &o
}

var errFeedEnded = errors.New("the connection was lost")

// dialOnce dials for one feed: the driver would replace a connection that was lost, and hide that something was missed. The
// connection is closed when ctx ends, because the driver watches no context while it waits for a server.
func dialOnce(ctx context.Context, f *feed, dial dialer) dialer {
	var dialled atomic.Bool
	return unfailing(func(bounded context.Context, network, address string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errFeedEnded
		}
		conn, err := dial(bounded, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		f.address = conn.RemoteAddr().String()
		return conn, nil
	})
}

// chooseMeans turns client tracking on, or finds out whether there are keyspace notifications.
func (l *link) chooseMeans(ctx context.Context, f *feed, conn *redis.Conn) error {
	prefixes := l.trackedPrefixes()
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
func (l *link) begin(ctx context.Context, f *feed, sub *redis.PubSub) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	refusal, err := l.subscribe(ctx, sub, l.store.changes())
	if err != nil {
		return err
	}
	f.channel = refusal == nil
	if f.keyspace {
		ignored, err := l.subscribe(ctx, sub, l.keyspaceChannels()...)
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
func (l *link) subscribe(ctx context.Context, sub *redis.PubSub, channels ...string) (refusal, err error) {
	if err := sub.Subscribe(ctx, channels...); err != nil {
		return nil, err
	}
	for confirmed := 0; confirmed < len(channels); {
		reply, err := sub.ReceiveTimeout(ctx, answerTimeout)
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

// watchedKeys are the Redis keys of the kinds and the mark.
func (l *link) watchedKeys() []string { return append(l.store.itemsOf(l.kinds), l.store.inited()) }

// keyspaceChannels are the channels of keyspace notifications about them.
func (l *link) keyspaceChannels() []string {
	channels := l.watchedKeys()
	for i, key := range channels {
		channels[i] = fmt.Sprintf("__keyspace@%d%s%s", l.settings.DB, keyspaceInfix, key)
	}
	return channels
}

// trackedPrefixes returns prefixes that together cover the keys. None begins with another, which servers refuse.
func (l *link) trackedPrefixes() (prefixes []string) {
	for _, key := range slices.Sorted(slices.Values(l.watchedKeys())) { // a prefix sorts before what begins with it
		if len(prefixes) == 0 || !strings.HasPrefix(key, prefixes[len(prefixes)-1]) {
			prefixes = append(prefixes, key)
		}
	}
	return prefixes
}

// follow opens a feed and passes on what comes from it until it is lost.
func (l *link) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, client, sub, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer closeFeed(client, sub)
	l.begun(ctx, f)
	var pinging sync.WaitGroup
	defer pinging.Wait()
	defer cancel()
	pinging.Go(func() { ping(ctx, sub, cancel) })
	for {
		reply, err := sub.ReceiveTimeout(ctx, pingInterval+answerTimeout)
		if err != nil && !isRefusal(err) { // A user who may not ask for a sign of life is answered that, which is one.
			return err
		}
		if message, ok := reply.(*redis.Message); ok {
			l.tell(f, message)
		}
	}
}

func (l *link) tell(f *feed, m *redis.Message) {
	if m.Channel == l.store.changes() {
		l.news.message(f, m.Payload)
		return
	}
	_, redisKey, _ := strings.Cut(m.Channel, keyspaceInfix)
	l.news.notice(f, redisKey)
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
	feed *feed
	news *news
}

// HandlePushNotification implements push.NotificationHandler. A notice has a list of keys, or none after a flush.
func (h *trackingHandler) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, notice []any) error {
	const length = 2 // its name and the list
	if len(notice) != length {
		return nil
	}
	redisKeys, some := notice[1].([]any)
	if !some {
		h.news.anything()
		return nil
	}
	for _, redisKey := range redisKeys {
		if text, ok := redisKey.(string); ok {
			h.news.notice(h.feed, text)
		}
	}
	return nil
}
