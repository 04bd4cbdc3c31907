package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/datasystem"
	"github.com/cleatdev/cleat/internal/optioncheck"
)

// DefaultStartWait is how long [New] waits for the first data by default.
const DefaultStartWait = 5 * time.Second

// Config says what a [Client] works with. The zero value of each field means its default: a client that has nothing but
// an SDKKey streams flags from the public flag service, keeps them in memory, and delivers events.
type Config struct {
	// SDKKey is the key of the environment in the flag service. It is required unless the client is offline, in daemon
	// mode, or has a DataSource that needs none. It appears in no log and no error.
	SDKKey string

	// CurrentSDKKey returns the key at the moment, in place of SDKKey, for a key that is replaced while the client runs: it is
	// called for each request and each hash of [Client.SecureModeHash], and must be safe for concurrent use. A key should
	// be replaced before the old one expires, because a delivery of events that the service refuses is the last one. Nil means
	// that the key does not change.
	CurrentSDKKey func() string

	// Offline is true if the client should use neither its data source nor its store, and deliver no events. Every
	// evaluation then returns the default value with the reason CLIENT_NOT_READY.
	Offline bool

	// Daemon is true if the client should only read what others write to Store or FeatureStore, and have no data source of its own.
	Daemon bool

	// Endpoints says where the flag service is; by default it is the public one.
	Endpoints core.ServiceEndpoints

	// DataSource makes the data source; nil means [streaming.Source] with its default options.
	DataSource core.UpdateProcessorFactory

	// DataSystem says where flags come from in place of DataSource, by the second generation of the flag service's protocol:
	// package datasource/fdv2 has some. Once data has arrived, evaluations read memory alone, and Store follows it unless StoreMode
	// says that it is only read. Nil means DataSource.
	DataSystem *core.DataSystem

	// Store is the database in which flags are kept; nil means in memory. [New] takes it over: it is closed by
	// [Client.Close], or by New if that returns no client.
	Store core.FeatureStoreCore

	// FeatureStore is a store of the application's own in place of Store and the cache before it: evaluations read from it, and
	// the data source writes to it. New takes it over as it does Store. Its methods are called as they are, with no time-out but
	// that of an evaluation; if it is no [core.DataStoreStatusProvider], it counts as available.
	FeatureStore core.FeatureStore

	// Cache configures the [caching.CachingStoreWrapper] that the client puts before Store. Its Logger is by default
	// that of the client.
	Cache caching.Options

	// StoreMode says whether the client may write to Store or FeatureStore; by default it may. A read-only client with a data
	// source keeps what that delivers in memory, and reads the store until the first delivery.
	StoreMode core.DataStoreMode

	// BigSegmentStore is the database of big segments; nil means that there is none, so that no big segment contains any
	// context. New takes it over as it does Store.
	BigSegmentStore core.BigSegmentStore

	// BigSegments configures what the client keeps of BigSegmentStore. Its Logger is by default that of the client.
	BigSegments bigsegments.Options

	// Events makes what delivers events; nil means [events.Processor] with its default options if there is an SDKKey, and
	// [events.Off] otherwise.
	Events core.EventProcessorFactory

	// HTTP says how the client reaches the flag service.
	HTTP HTTPOptions

	// Application names the application to the flag service.
	Application Application

	// Wrapper names a library that wraps this one to the flag service.
	Wrapper Wrapper

	// Hooks are called at each evaluation and custom event, in this order before, and in reverse order after.
	Hooks []Hook

	// StartWait is how long New waits for the first data before it returns the client without; 0 means 5 s, and a negative
	// time that it does not wait.
	StartWait time.Duration

	// Logger gets what goes wrong; nil means slog.Default().
	Logger *slog.Logger
}

// readSDKKey sets the key to the one at the moment, or makes a function of a key that does not change.
func (c *Config) readSDKKey() {
	if c.CurrentSDKKey != nil {
		c.SDKKey = c.CurrentSDKKey()
		return
	}
	key := c.SDKKey
	c.CurrentSDKKey = func() string { return key }
}

// validate returns an error that names everything that cannot be used.
func (c *Config) validate(ctx context.Context) error {
	var errs []error
	refuse := func(message string) { errs = append(errs, fmt.Errorf("%w: %s", core.ErrInvalid, message)) }
	if ctx == nil {
		refuse("the context is nil")
	}
	c.validateSource(refuse)
	switch c.StoreMode {
	case core.DataStoreModeReadWrite:
	case core.DataStoreModeReadOnly:
		if !c.hasStore() {
			refuse("Config.StoreMode is read-only, but there is no Store")
		}
	default:
		refuse(fmt.Sprintf("Config.StoreMode %d is unknown", c.StoreMode))
	}
	if c.Store != nil && c.FeatureStore != nil {
		refuse("Config has both a Store and a FeatureStore, of which only one can be used")
	}
	if !optioncheck.SDKKey(c.SDKKey) {
		refuse("Config.SDKKey contains characters that no SDK key has, such as a space, a line end, quotes, a byte order mark " +
			"or letters beyond ASCII; it is not shown here")
	}
	for i, hook := range c.Hooks {
		if hook == nil {
			refuse(fmt.Sprintf("Config.Hooks[%d] is nil", i))
		}
	}
	return errors.Join(errs...)
}

// validateSource refuses a configuration by which it is not clear where flags come from.
func (c *Config) validateSource(refuse func(string)) {
	switch {
	case c.Offline:
	case c.Daemon && !c.hasStore():
		refuse("Config.Daemon is set, but there is no Store to read flags from")
	case c.Daemon && c.DataSource != nil:
		refuse("Config has a DataSource, and Daemon is set, which means that there is none")
	case c.DataSystem != nil && (c.Daemon || c.DataSource != nil):
		refuse("Config has a DataSystem, and a DataSource or Daemon, of which only one says where flags come from")
	case c.DataSystem != nil:
		if len(c.DataSystem.Initializers)+len(c.DataSystem.Synchronizers) == 0 {
			refuse("Config.DataSystem has no source; set Daemon to read flags from Store only")
		}
	case !c.Daemon && c.DataSource == nil && c.SDKKey == "":
		refuse("Config has no SDKKey, without which there are no flags from the flag service; " +
			"set Daemon to read flags from Store only, DataSource to get them elsewhere, or Offline to have none")
	}
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Cache.Logger == nil {
		c.Cache.Logger = c.Logger
	}
	if c.BigSegments.Logger == nil {
		c.BigSegments.Logger = c.Logger
	}
	if c.StartWait == 0 {
		c.StartWait = DefaultStartWait
	}
	if c.DataSource == nil {
		c.DataSource = streaming.Source(streaming.Options{})
	}
	if c.Events == nil {
		c.Events = events.Processor(events.Options{})
		if c.SDKKey == "" {
			c.Events = events.Off()
		}
	}
	if c.Offline {
		c.Events = events.Off()
	}
}

// hasStore reports whether flags are kept anywhere but in memory.
func (c *Config) hasStore() bool { return c.Store != nil || c.FeatureStore != nil }

// newFeatureStore makes what the client reads from. It owns c.Store and c.FeatureStore.
func (c *Config) newFeatureStore() (core.FeatureStore, error) {
	store := c.FeatureStore
	switch {
	case !c.hasStore():
		return datasystem.NewMemoryStore(), nil
	case c.Offline && store != nil:
		return datasystem.NewOfflineStore(store), nil
	case c.Offline:
		return datasystem.NewOfflineStore(c.Store), nil
	case store == nil:
		wrapper, err := caching.NewCachingStoreWrapper(c.Store, &c.Cache)
		if err != nil {
			return nil, errors.Join(err, c.Store.Close())
		}
		store = wrapper
	}
	switch {
	case c.StoreMode == core.DataStoreModeReadOnly && !c.Daemon:
		return datasystem.NewStartupStore(store), nil
	case c.DataSystem != nil:
		return datasystem.NewFollowedMemory(store, c.Logger), nil
	default:
		return store, nil
	}
}

// closeStores closes the databases of a client that has not come into being.
func (c *Config) closeStores() error {
	var errs []error
	if c.Store != nil {
		errs = append(errs, c.Store.Close())
	}
	if c.FeatureStore != nil {
		errs = append(errs, c.FeatureStore.Close())
	}
	if c.BigSegmentStore != nil {
		errs = append(errs, c.BigSegmentStore.Close())
	}
	return errors.Join(errs...)
}

// newHTTPClient makes the client's HTTP client, or says what is wrong with the options.
func (c *Config) newHTTPClient() (*http.Client, error) {
	client, err := c.HTTP.newClient(c.Logger)
	if err = errors.Join(err, c.HTTP.validateHeader()); err != nil {
		return nil, fmt.Errorf("%w: Config.HTTP%w", core.ErrInvalid, err)
	}
	return client, nil
}

// header returns what the options and names come to in requests to the flag service.
func (c *Config) header() http.Header {
	header := c.HTTP.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("User-Agent", "cleat/"+Version)
	header.Set("X-LaunchDarkly-Instance-Id", uuid.NewString())
	if tags := c.Application.tags(c.Logger); tags != "" {
		header.Set("X-LaunchDarkly-Tags", tags)
	}
	if wrapper := c.Wrapper.header(c.Logger); wrapper != "" {
		header.Set("X-LaunchDarkly-Wrapper", wrapper)
	}
	return header
}

// diagnostics describes the configuration in the form in which the flag service takes it. It contains no secrets, and of
// addresses only whether they are those of the public service. The data source is nil if there is none.
func (c *Config) diagnostics(source core.UpdateProcessor) ldvalue.Value {
	endpoints, public := c.Endpoints.WithDefaults(), core.ServiceEndpoints{}.WithDefaults()
	builder := ldvalue.ObjectBuild().
		SetBool("customBaseURI", endpoints.Polling != public.Polling).
		SetBool("customStreamURI", endpoints.Streaming != public.Streaming).
		SetBool("customEventsURI", endpoints.Events != public.Events).
		SetString("dataStoreType", "custom").
		Set("startWaitMillis", milliseconds(max(c.StartWait, 0))).
		Set("connectTimeoutMillis", milliseconds(c.HTTP.ConnectTimeout)).
		SetBool("usingProxy", c.HTTP.ProxyURL != "").
		SetBool("usingRelayDaemon", c.Daemon)
	store := c.describeStore()
	if store.IsString() {
		builder.Set("dataStoreType", store)
	}
	for _, description := range []ldvalue.Value{c.describe(source), store} {
		for property, value := range description.AsValueMap().AsMap() {
			builder.Set(property, value)
		}
	}
	return builder.Build()
}

func milliseconds(d time.Duration) ldvalue.Value {
	return ldvalue.Float64(float64(d / time.Millisecond))
}

// describeStore names the type of the store, if that is known.
func (c *Config) describeStore() ldvalue.Value {
	switch {
	case c.Store != nil:
		return c.describe(c.Store)
	case c.FeatureStore != nil:
		return c.describe(c.FeatureStore)
	default:
		return ldvalue.String("memory")
	}
}

// describe asks a component for its description, which is null if it has none.
func (c *Config) describe(component any) ldvalue.Value {
	describer, ok := component.(core.DiagnosticDescription)
	if !ok {
		return ldvalue.Null()
	}
	endpoints := c.Endpoints.WithDefaults()
	return describer.DescribeConfiguration(core.ClientConfiguration{
		Offline: c.Offline, DaemonMode: c.Daemon,
		StreamingURI: endpoints.Streaming, PollingURI: endpoints.Polling, EventsURI: endpoints.Events,
	})
}

// String describes the configuration without its secrets, of which a proxy's URL may be one.
func (c Config) String() string {
	return fmt.Sprintf("cleat.Config{Offline: %v, Daemon: %v, Endpoints: %v, Store: %T, BigSegmentStore: %T, StoreMode: %v}",
		c.Offline, c.Daemon, c.Endpoints, c.Store, c.BigSegmentStore, c.StoreMode)
}

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String as a value of package slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String for JSON and YAML.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
