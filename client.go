package cleat

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/datasystem"
)

// Client evaluates feature flags. Make one with [New], use it from any number of goroutines for as long as the process
// runs, and Close it at the end.
type Client struct {
	sdkKey      func() string
	offline     bool
	daemon      bool
	logger      *slog.Logger
	httpClient  *http.Client
	store       core.FeatureStore
	bigSegments *bigsegments.Manager // nil if there are none
	sink        *datasystem.Sink
	source      core.UpdateProcessor // nil if there is none
	evaluators  *evaluators
	events      clientEvents
	hooks       hooks
	tracker     *flagTracker

	// initialized is true once the store is known to have been filled; it need not be asked again.
	initialized atomic.Bool
	closed      atomic.Bool
	closing     sync.Once
	closeErr    error
	// lifetime ends when the client is closed, and with it what runs in background.
	lifetime   context.Context //nolint:containedctx // of what the client itself starts
	end        context.CancelFunc
	background sync.WaitGroup // Close waits for it
}

// New makes a client, starts its data source, and waits for the first data: at most for [Config].StartWait, until ctx ends,
// or until it is clear that none will come soon, because the data source has given up or the flag service has refused the
// SDK key. ctx ends nothing but that wait; the data source goes on until Close.
//
// New returns an error only if there is no client: the configuration cannot be used, and the error wraps
// [core.ErrInvalid] or comes from the factory of a component. The stores have then been closed. That no data has come is
// no error, because an outage of the data source should not keep an application from starting: New logs a warning and
// returns the client, which evaluates flags from what the store has, and returns default values where that is nothing,
// until the data source delivers. [Client.Initialized] says whether there is data, and [Client.WaitFor] waits longer.
//
// A client that is offline or in daemon mode waits for nothing.
func New(ctx context.Context, config Config) (*Client, error) {
	config.readSDKKey()
	if err := config.validate(ctx); err != nil {
		return nil, errors.Join(err, config.closeStores())
	}
	config.setDefaults()
	httpClient, err := config.newHTTPClient()
	if err != nil {
		return nil, errors.Join(err, config.closeStores())
	}
	c := &Client{
		sdkKey: config.CurrentSDKKey, offline: config.Offline, daemon: config.Daemon && !config.Offline,
		logger: config.Logger, httpClient: httpClient, hooks: newHooks(config.Hooks, config.Logger),
		events: clientEvents{logger: config.Logger},
	}
	c.tracker = &flagTracker{client: c}
	c.lifetime, c.end = context.WithCancel(context.Background())
	if err := c.assemble(&config); err != nil {
		c.closeEvents(0) // of a client that never was nothing is worth waiting for
		return nil, errors.Join(err, c.Close())
	}
	c.logStart(&config)
	if c.daemon {
		c.background.Go(c.warnOfEmptyStore)
	}
	if c.source == nil {
		return c, nil
	}
	c.source.Start(c.lifetime)
	c.waitForData(ctx, &config)
	return c, nil
}

// logStart says in one line what the client is made of.
func (c *Client) logStart(config *Config) {
	source := packageOf(c.source)
	if named, ok := c.source.(fmt.Stringer); ok {
		source = named.String()
	}
	switch {
	case c.offline:
		source = "none, offline"
	case c.daemon:
		source = "none, daemon mode"
	}
	attrs := []any{"version", Version, "source", source}
	switch {
	case config.Store != nil:
		attrs = append(attrs, "store", packageOf(config.Store), "cache", config.Cache.Mode, "store_mode", config.StoreMode)
	case config.FeatureStore != nil:
		attrs = append(attrs, "store", packageOf(config.FeatureStore), "store_mode", config.StoreMode)
	default:
		attrs = append(attrs, "store", "memory")
	}
	c.logger.Info("cleat: starting", attrs...)
}

// packageOf returns the name of the package that a component's type is from.
func packageOf(component any) string {
	name, _, _ := strings.Cut(strings.TrimLeft(fmt.Sprintf("%T", component), "*"), ".")
	return name
}

// assemble makes what the client consists of. On an error, Close closes what there is.
func (c *Client) assemble(config *Config) (err error) {
	if c.store, err = config.newFeatureStore(); err != nil {
		if config.BigSegmentStore != nil {
			err = errors.Join(err, config.BigSegmentStore.Close())
		}
		return err
	}
	c.sink = datasystem.NewSink(c.store, c.logger)
	if err := c.assembleBigSegments(config); err != nil {
		return err
	}
	c.followBigSegments()
	c.evaluators = newEvaluators(c.store, c.bigSegments, cmp.Or(config.Cache.ReadTimeout, caching.DefaultReadTimeout), c.logger)
	settings := core.ClientSettings{
		SDKKey: config.SDKKey, CurrentSDKKey: config.CurrentSDKKey, Logger: config.Logger, Endpoints: config.Endpoints,
		HTTPClient: c.httpClient, Headers: config.header(), StreamInits: &c.events, Started: time.Now(),
	}.WithDefaults()
	if err := c.assembleSource(config, settings); err != nil {
		return err
	}
	settings.Diagnostics = config.diagnostics(c.source)
	if c.events.processor, err = config.Events(settings); err != nil {
		return fmt.Errorf("cleat: making the event processor: %w", err)
	}
	if c.events.processor == nil {
		return fmt.Errorf("%w: Config.Events made no event processor and no error", core.ErrInvalid)
	}
	_, c.events.off = c.events.processor.(events.Discarding)
	return nil
}

// assembleSource makes the data source before the event processor, which describes it.
func (c *Client) assembleSource(config *Config, settings core.ClientSettings) (err error) {
	if c.offline || c.daemon {
		c.sink.UpdateStatus(core.DataSourceValid, core.DataSourceErrorInfo{}) // nothing is awaited
		return nil
	}
	if config.DataSystem != nil {
		sources, err := datasystem.NewSources(config.DataSystem, settings)
		if err != nil {
			return fmt.Errorf("cleat: making the data system: %w", err)
		}
		c.sink.Status().HopeUntilOff()
		c.source = datasystem.NewSynchronization(sources, c.sink, c.logger)
		return nil
	}
	if c.source, err = config.DataSource(settings, c.sink); err != nil {
		c.source = nil
		return fmt.Errorf("cleat: making the data source: %w", err)
	}
	if c.source == nil {
		return fmt.Errorf("%w: Config.DataSource made no data source and no error", core.ErrInvalid)
	}
	return nil
}

func (c *Client) assembleBigSegments(config *Config) (err error) {
	switch {
	case config.BigSegmentStore == nil:
	case config.Offline:
		return config.BigSegmentStore.Close()
	default:
		if c.bigSegments, err = bigsegments.NewManager(config.BigSegmentStore, &config.BigSegments); err != nil {
			return errors.Join(err, config.BigSegmentStore.Close())
		}
	}
	return nil
}

// followBigSegments makes value listeners look again when the store of big segments is back, or up to date again: what they
// were told in between may be wrong.
func (c *Client) followBigSegments() {
	if c.bigSegments == nil {
		return
	}
	c.bigSegments.AddListener(func(status core.BigSegmentStoreStatus) {
		if status.Available {
			c.sink.AnnounceAnyFlag()
		}
	})
}

// Initialized reports whether there is data to evaluate flags with: the data source has delivered, or an earlier run or
// another process has filled the store, which is asked as long as the data source has not delivered. It is false if the store
// cannot be asked, and for a client that is offline or closed.
func (c *Client) Initialized(ctx context.Context) bool {
	if c.offline || c.closed.Load() {
		return false
	}
	initialized, err := c.askInitialized(ctx)
	if err != nil {
		c.logger.DebugContext(ctx, "cleat: cannot tell whether the store is initialized", "error", err)
	}
	return initialized
}

// askInitialized reports whether the data source has filled the store, or the store is initialized, which it then stays.
func (c *Client) askInitialized(ctx context.Context) (bool, error) {
	if c.initialized.Load() {
		return true, nil
	}
	if c.source != nil && c.source.Initialized() {
		c.initialized.Store(true)
		return true, nil
	}
	initialized, err := c.store.Initialized(ctx)
	if initialized {
		c.initialized.Store(true)
	}
	return initialized, err
}

// DataSourceStatus tells of the status of the data source. In a client without one, which is in daemon mode or offline, it is
// valid until the client is closed.
func (c *Client) DataSourceStatus() core.DataSourceStatusProvider { return c.sink.Status() }

// DataStoreStatus tells of the status of the store.
func (c *Client) DataStoreStatus() core.DataStoreStatusProvider {
	return datasystem.StoreStatus(c.store)
}

// BigSegmentStoreStatus tells of the status of the store for big segments.
func (c *Client) BigSegmentStoreStatus() core.BigSegmentStoreStatusProvider {
	if c.bigSegments == nil {
		return noBigSegments{}
	}
	return c.bigSegments
}

// noBigSegments is the status of big segments in a client without a store for them.
type noBigSegments struct{}

func (noBigSegments) Status() core.BigSegmentStoreStatus { return core.BigSegmentStoreStatus{} }

func (noBigSegments) AddListener(func(core.BigSegmentStoreStatus)) (remove func()) { return func() {} }

// FlagTracker tells of changes to flags. Where others change the store, a listener hears of what they change from when the
// client has read the store once, which it begins to do when the first listener is added; a value listener misses nothing.
func (c *Client) FlagTracker() core.FlagTracker { return c.tracker }

// SecureModeHash returns the hash by which the flag service recognises that a front end may ask for flags of the
// context: the HMAC-SHA256 of the context's fully qualified key under the SDK key, in hexadecimal.
func (c *Client) SecureModeHash(evalContext ldcontext.Context) string {
	mac := hmac.New(sha256.New, []byte(c.sdkKey()))
	mac.Write([]byte(evalContext.FullyQualifiedKey()))
	return hex.EncodeToString(mac.Sum(nil))
}

// Close stops the data source, delivers the events that are buffered, for which it takes at most 10 s, closes the stores,
// and returns the errors of the latter. Evaluations return the default value from then on, and no listener is called any
// more; calls that are under way are not waited for. Close is idempotent; all calls return once the first is done, with
// the same error.
func (c *Client) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.end()
		c.stopSource()
		c.closeEvents(stopLimit)
		if c.sink != nil {
			c.sink.Close()
		}
		var errs []error
		if c.bigSegments != nil {
			errs = append(errs, c.bigSegments.Close())
		}
		if c.store != nil {
			errs = append(errs, c.store.Close())
		}
		c.background.Wait()
		c.httpClient.CloseIdleConnections()
		c.closeErr = errors.Join(errs...)
	})
	return c.closeErr
}

func (c *Client) closeEvents(limit time.Duration) {
	if c.events.processor == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := c.events.processor.Close(ctx); err != nil && limit > 0 {
		c.logger.Error("cleat: buffered events could not be delivered in time", "limit", limit, "error", err)
	}
}

// stopLimit is how long Close waits for a data source, and for the delivery of events. What does not end is left behind.
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

// Format writes the name of the type, whatever the verb: what is in a Client is secret, and in use.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "cleat.Client") }
