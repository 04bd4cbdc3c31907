package cleat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat/core"
)

// Client evaluates feature flags. Make one with [New], use it from any number of goroutines for as long as the process
// runs, and Close it at the end.
type Client struct {
	sdkKey     string
	offline    bool
	daemon     bool
	logger     *slog.Logger
	store      core.FeatureStore
	sink       *updateSink
	source     core.UpdateProcessor // nil if there is none
	evaluators *evaluators
	tracker    *flagTracker

	// initialized is true once the store is known to have been filled; it need not be asked again.
	initialized atomic.Bool
	closed      atomic.Bool
	closing     sync.Once
	closeErr    error
	// lifetime ends when the client is closed.
	lifetime context.Context //nolint:containedctx // of what the client itself starts
	end      context.CancelFunc
}

// New makes a client, starts its data source, and waits until that has delivered, for [Config].StartWait or until ctx
// ends. The data source itself goes on until Close.
//
// If there was no delivery, New returns the client, which can be used and has to be closed, together with
// [ErrInitTimeout], [ErrInitFailed] or ctx.Err(). If the client is nil, the configuration cannot be used; the error then
// wraps [core.ErrInvalid] or comes from the data source's factory, and the store has been closed.
//
// A client that is offline or in daemon mode waits for nothing.
func New(ctx context.Context, config Config) (*Client, error) {
	if err := config.validate(ctx); err != nil {
		return nil, errors.Join(err, closeStore(config.Store))
	}
	config.setDefaults()
	store, err := config.newFeatureStore()
	if err != nil {
		return nil, err
	}
	c := newClient(&config, store)
	if config.Offline || config.DataSource == nil {
		return c, nil
	}
	c.source, err = config.DataSource(c.sink, config.Logger)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cleat: making the data source: %w", err), c.Close())
	}
	c.source.Start(c.lifetime)
	err = c.waitForData(ctx, config.StartWait)
	return c, err
}

func closeStore(store core.FeatureStoreCore) error {
	if store == nil {
		return nil
	}
	return store.Close()
}

func newClient(config *Config, store core.FeatureStore) *Client {
	c := &Client{
		sdkKey:     config.SDKKey,
		offline:    config.Offline,
		daemon:     config.daemon(),
		logger:     config.Logger,
		store:      store,
		sink:       newUpdateSink(store, config.Logger),
		evaluators: newEvaluators(store, config.Logger),
	}
	c.tracker = &flagTracker{client: c}
	c.lifetime, c.end = context.WithCancel(context.Background())
	if !c.offline {
		c.sink.followStore(c.lifetime)
	}
	if c.offline || c.daemon {
		c.sink.status.update(core.DataSourceValid, core.DataSourceErrorInfo{}) // nothing is awaited
	}
	return c
}

func (c *Client) waitForData(ctx context.Context, limit time.Duration) error {
	if limit < 0 {
		return nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case <-c.sink.filled:
	case <-c.sink.status.settled:
		err = c.sourceError()
	case <-timer.C:
		err = fmt.Errorf("%w (%v)", ErrInitTimeout, limit)
	case <-ctx.Done():
		err = ctx.Err()
	}
	select {
	case <-c.sink.filled: // whatever else has happened
		return nil
	default:
		return err
	}
}

// sourceError returns why a data source that does not try any more has delivered nothing; nil if that is not so.
func (c *Client) sourceError() error {
	if status := c.DataSourceStatus().Status(); status.State == core.DataSourceOff && !c.source.Initialized() {
		return fmt.Errorf("%w: %v", ErrInitFailed, status.LastError)
	}
	return nil
}

// Initialized reports whether there is data to evaluate flags with: the data source has delivered, or an earlier run or
// another process has filled the store. It is false if the store cannot be asked, and for a client that is offline or
// closed.
func (c *Client) Initialized(ctx context.Context) bool {
	if c.offline || c.closed.Load() {
		return false
	}
	if c.initialized.Load() {
		return true
	}
	initialized, err := c.store.Initialized(ctx)
	if err != nil {
		c.logger.DebugContext(ctx, "cleat: cannot tell whether the store is initialized", "error", err)
	}
	if !initialized {
		return false
	}
	c.initialized.Store(true)
	return true
}

// DataSourceStatus tells of the status of the data source. In a client without one it is always valid.
func (c *Client) DataSourceStatus() core.DataSourceStatusProvider { return c.sink.status }

// DataStoreStatus tells of the status of the store.
func (c *Client) DataStoreStatus() core.DataStoreStatusProvider { return storeStatus(c.store) }

// BigSegmentStoreStatus tells of the status of the store for big segments.
func (c *Client) BigSegmentStoreStatus() core.BigSegmentStoreStatusProvider { return noBigSegments{} }

// FlagTracker tells of changes to flags.
func (c *Client) FlagTracker() core.FlagTracker { return c.tracker }

// SecureModeHash returns the hash by which the flag service recognises that a front end may ask for flags of the
// context: the HMAC-SHA256 of the context's fully qualified key under [Config].SDKKey, in hexadecimal.
func (c *Client) SecureModeHash(evalContext ldcontext.Context) string {
	mac := hmac.New(sha256.New, []byte(c.sdkKey))
	mac.Write([]byte(evalContext.FullyQualifiedKey()))
	return hex.EncodeToString(mac.Sum(nil))
}

// Close stops the data source and closes the store, and returns the error of the latter. Evaluations return the default
// value from then on, and no listener is called any more; calls that are under way are not waited for. Close is
// idempotent; all calls return once the first is done, with the same error.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.end()
		c.stopSource()
		c.sink.close()
		c.closeErr = c.store.Close()
	})
	return c.closeErr
}

// stopLimit is how long Close waits for a data source. One that does not end is left behind.
const stopLimit = 10 * time.Second

func (c *Client) stopSource() {
	if c.source == nil {
		return
	}
	c.source.Stop()
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-c.source.Done():
	case <-limit.C:
		c.logger.Error("cleat: the data source has not stopped in time", "limit", stopLimit)
	}
}
