package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

const (
	firstReconnectPause   = 50 * time.Millisecond
	longestReconnectPause = 5 * time.Second

	// nodesInterval is how often a Cluster or its Sentinels are asked which servers are to be watched, and nodesPause how
	// often at most when something goes wrong.
	nodesInterval = 5 * time.Second
	nodesPause    = 500 * time.Millisecond
)

// Watch implements [core.Watcher] with a connection of its own to every primary, as the package documentation says. It
// reports the key of an item that cleat wrote, and the kind of one that somebody else wrote; what the store writes itself is
// reported too. The connection is made as those of the store's client are. Several calls do not disturb each other.
//
// If the server refuses every way to be told of changes, Watch returns an error wrapping [core.ErrUnavailable]; a client that
// is neither a *redis.Client, *redis.ClusterClient nor *redis.Ring cannot be watched either, which is [core.ErrInvalid].
func (b *base) Watch(ctx context.Context, changed func(core.Change)) error {
	s := b.session
	op := operation{what: "watching " + s.keys.name("*")}
	switch {
	case ctx == nil:
		return errNilContext()
	case changed == nil:
		return fmt.Errorf("redisstore: %w: there is no function to call", core.ErrInvalid)
	case !s.enter():
		return errClosed(op)
	}
	defer s.calls.Done()
	if err := ctx.Err(); err != nil {
		return err
	}
	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	w := &watch{
		session: s, changed: changed, links: map[string]*link{},
		events: make(chan event), found: make(chan foundNodes, 1),
	}
	err := w.run(watching)
	cancel()
	w.running.Wait()
	var own *ownError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closing.Err() != nil:
		return errClosed(op)
	case errors.As(err, &own):
		return own.err
	}
	return translate(op, err)
}

// event is what a link tells the watch.
type event struct {
	link *link
	feed *feed
	what eventKind
	text string
	err  error
}

type eventKind int

const (
	feedBegan  eventKind = iota
	feedLost             // or could not begin; err says why
	keyChanged           // text is the Redis key
	itemTold             // text is the message
	allChanged
)

// watch is one call of Watch. Its fields belong to the goroutine of the caller, which also calls changed.
type watch struct {
	session *session
	changed func(core.Change)

	collector *collector
	begun     bool // every node has been tried once
	kinds     []core.DataKind
	links     map[string]*link // by node
	events    chan event
	running   sync.WaitGroup

	found     chan foundNodes // holds the answer that was not looked at yet
	seeking   bool
	seekAfter time.Time
}

// link keeps a feed from one node alive.
type link struct {
	cancel  context.CancelFunc
	feed    *feed // while there is one
	settled bool  // it has begun or failed once
	lost    bool  // which was logged
	dropped bool  // nothing that is still on its way counts
}

// run watches until ctx ends, or until it is clear that nothing can be watched.
func (w *watch) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	refresh := time.NewTicker(nodesInterval)
	defer refresh.Stop()
	grown := w.begin(ctx)
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-w.events:
			err = w.handle(ctx, e)
		case found := <-w.found:
			err = w.adopt(ctx, found)
		case <-grown:
			grown = w.begin(ctx)
		case <-refresh.C:
			w.seek(ctx)
		case <-timer.C:
		}
		if err != nil {
			return err
		}
		w.flush(timer)
	}
}

// begin watches all kinds that the store was asked about. Those that are watched already are watched anew, and what is missed
// meanwhile is made good by the report that anything may have changed.
func (w *watch) begin(ctx context.Context) (grown <-chan struct{}) {
	w.kinds, grown = w.session.kinds.list()
	w.collector = newCollector(w.session.keys, w.kinds, w.changed)
	for node := range w.links {
		w.drop(node)
	}
	w.seekAfter = time.Time{}
	w.seek(ctx)
	return grown
}

func (w *watch) drop(node string) {
	l := w.links[node]
	l.cancel()
	l.dropped = true
	w.collector.lost(l.feed)
	delete(w.links, node)
}

// flush reports what is due and sets the timer to when more will be. Before every node has been tried, nothing is: the first
// report says that changes are seen from now on.
func (w *watch) flush(timer *time.Timer) {
	for _, l := range w.links {
		if !w.begun && !l.settled {
			return
		}
	}
	w.begun = w.begun || len(w.links) > 0
	w.collector.flush(time.Now())
	if next := w.collector.next(); !next.IsZero() {
		timer.Reset(time.Until(next))
	}
}

func (w *watch) handle(ctx context.Context, e event) error {
	now, l := time.Now(), e.link
	if l.dropped || l.feed != e.feed && e.what != feedBegan && e.what != feedLost {
		return nil
	}
	switch e.what {
	case feedBegan:
		w.logBeginning(ctx, l, e.feed)
		l.settled, l.lost, l.feed = true, false, e.feed
		w.collector.anything(now)
	case feedLost:
		return w.lost(ctx, l, e.err)
	case keyChanged:
		w.collector.notice(now, l.feed, e.text)
	case itemTold:
		w.collector.message(now, l.feed, e.text)
	case allChanged:
		w.collector.anything(now)
	}
	return nil
}

// logBeginning tells more loudly what is not as it should be, or was not.
func (w *watch) logBeginning(ctx context.Context, l *link, f *feed) {
	level := slog.LevelDebug
	if l.lost || !f.tracking || !f.channel {
		level = slog.LevelInfo
	}
	w.session.logger.Log(ctx, level, "redisstore: watching for changes by others",
		"server", f.address, "prefix", w.session.options.Prefix, "by", f.describe())
}

func (w *watch) lost(ctx context.Context, l *link, err error) error {
	var unwatchable *unwatchableError
	if errors.As(err, &unwatchable) {
		return err
	}
	l.settled = true
	if l.feed != nil {
		w.collector.lost(l.feed)
		l.feed = nil
	}
	if !l.lost && ctx.Err() == nil {
		w.session.logger.Warn("redisstore: changes by others cannot be seen until the server answers again",
			"prefix", w.session.options.Prefix, "error", printable(err))
	}
	l.lost = true
	w.seek(ctx)
	return nil
}

// connect starts a link.
func (w *watch) connect(ctx context.Context, node string, settings *redis.Options) {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{cancel: cancel}
	w.links[node] = l
	plan := &feedPlan{
		settings: settings, names: w.session.keys, kinds: w.kinds,
		timeout: w.session.options.ReadTimeout, calls: &w.session.calls,
		tell: func(ctx context.Context, e event) {
			e.link = l
			select {
			case w.events <- e:
			case <-ctx.Done():
			}
		},
	}
	w.running.Go(func() { plan.keepFollowing(ctx) })
}

// keepFollowing opens one feed after the other until ctx ends or the server cannot be watched.
func (p *feedPlan) keepFollowing(ctx context.Context) {
	pauses := reconnectPauses()
	for ctx.Err() == nil {
		began := time.Now()
		err := p.follow(ctx)
		p.tell(ctx, event{what: feedLost, err: err})
		if time.Since(began) > longestReconnectPause {
			pauses.Reset()
		}
		pause(ctx, pauses.NextBackOff())
	}
}

func reconnectPauses() *backoff.ExponentialBackOff {
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: firstReconnectPause, RandomizationFactor: 1, Multiplier: 2, MaxInterval: longestReconnectPause,
	}
	pauses.Reset()
	return pauses
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
