package testsource

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/lifecycle"
)

// client is the data source of one client.
type client struct {
	*lifecycle.Operation

	source      *Source
	logger      *slog.Logger
	sink        core.DataSourceUpdateSink
	store       chan struct{} // holds a token if the status of the store has changed
	stale       atomic.Bool   // the store has asked for everything again
	initialized atomic.Bool

	ctx     context.Context //nolint:containedctx // what is delivered on behalf of others ends with the client, not with them
	refused bool            // the store has refused an update; guarded by the source's lock
}

var _ core.UpdateProcessor = (*client)(nil)

func (c *client) Start(ctx context.Context) { c.Run(ctx, c.run) }

func (c *client) Initialized() bool { return c.initialized.Load() }

func (c *client) run(ctx context.Context) {
	c.ctx = ctx
	remove := c.sink.DataStoreStatus().AddListener(c.noticeStore)
	defer remove()
	c.source.attach(c)
	defer c.source.detach(c)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.store:
			c.followStore()
		}
	}
}

// noticeStore is called by the store's status provider, on a goroutine that is not ours.
func (c *client) noticeStore(status core.DataStoreStatus) {
	if status.Stale {
		c.stale.Store(true)
	}
	select {
	case c.store <- struct{}{}:
	default:
	}
}

// followStore delivers everything again if the store has asked for it. A store that had refused an update and is well
// again without asking has kept and written it.
func (c *client) followStore() {
	c.source.mu.Lock()
	defer c.source.mu.Unlock()
	switch status := c.sink.DataStoreStatus().Status(); {
	case c.stale.Swap(false):
		c.init()
	case c.refused && status.Available && !status.Stale:
		c.accepted()
	}
}

// init delivers everything. The caller holds the source's lock.
func (c *client) init() {
	if err := c.sink.Init(c.ctx, c.source.everything()); err != nil {
		c.refused = true
		return
	}
	c.accepted()
}

// upsert delivers one item. The caller holds the source's lock. A store that has refused something and does not monitor
// itself gets everything again instead.
func (c *client) upsert(kind core.DataKind, key string, item *core.Item) {
	if c.refused && !c.sink.DataStoreStatus().MonitoringEnabled() {
		c.init()
		return
	}
	var err error
	if item.Deleted() {
		err = c.sink.Delete(c.ctx, kind, key, item.Version())
	} else {
		err = c.sink.Upsert(c.ctx, kind, key, item)
	}
	if _, only := core.ItemErrors(err); only && !c.refused {
		c.accepted() // the store works and has everything else; the sink has reported the item
	} else if err != nil {
		c.refused = true
	}
}

func (c *client) accepted() {
	c.refused = false
	c.initialized.Store(true)
	c.sink.UpdateStatus(c.source.state, c.source.err)
}
