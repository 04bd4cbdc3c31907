package cleat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
)

// DefaultStartWait is how long [New] waits for the first data by default.
const DefaultStartWait = 5 * time.Second

// Config says what a [Client] works with. The zero value of each field means its default, but at least one of
// DataSource, Store and Offline is required.
type Config struct {
	// SDKKey is the key of the environment in the flag service. [Client.SecureModeHash] is made with it. It appears in no
	// log and no error.
	SDKKey string

	// Offline is true if the client should use neither its data source nor its store. Every evaluation then returns the
	// default value with the reason CLIENT_NOT_READY.
	Offline bool

	// DataSource makes the data source. Without one, the client only reads what others write to Store: daemon mode.
	DataSource core.UpdateProcessorFactory

	// Store is the database in which flags are kept; nil means in memory. [New] takes it over: it is closed by
	// [Client.Close], or by New if that returns no client.
	Store core.FeatureStoreCore

	// Cache configures the [caching.CachingStoreWrapper] that the client puts before Store. Its Logger is by default
	// that of the client.
	Cache caching.Options

	// StoreMode says whether the client may write to Store; by default it may. A read-only client with a data source
	// keeps what that delivers in memory, and reads Store until the first delivery.
	StoreMode core.DataStoreMode

	// StartWait is how long New waits for the first data; 0 means 5 s, and a negative time that it does not wait.
	StartWait time.Duration

	// Logger gets what goes wrong; nil means slog.Default().
	Logger *slog.Logger
}

// validate returns an error that names everything that cannot be used.
func (c *Config) validate(ctx context.Context) error {
	var errs []error
	refuse := func(message string) { errs = append(errs, fmt.Errorf("cleat: %w: %s", core.ErrInvalid, message)) }
	if ctx == nil {
		refuse("the context is nil")
	}
	if c.DataSource == nil && c.Store == nil && !c.Offline {
		refuse("Config has no DataSource and no Store, so there would be no flags; set Offline if that is intended")
	}
	switch c.StoreMode {
	case core.DataStoreModeReadWrite:
	case core.DataStoreModeReadOnly:
		if c.Store == nil {
			refuse("Config.StoreMode is read-only, but there is no Store")
		}
	default:
		refuse(fmt.Sprintf("Config.StoreMode %d is unknown", c.StoreMode))
	}
	return errors.Join(errs...)
}

// daemon reports whether the client only reads its store.
func (c *Config) daemon() bool { return c.DataSource == nil && c.Store != nil && !c.Offline }

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Cache.Logger == nil {
		c.Cache.Logger = c.Logger
	}
	if c.StartWait == 0 {
		c.StartWait = DefaultStartWait
	}
}

// newFeatureStore makes what the client reads from. It owns c.Store.
func (c *Config) newFeatureStore() (core.FeatureStore, error) {
	if c.Store == nil {
		return newMemoryStore(), nil
	}
	if c.Offline {
		return &offlineStore{memoryStore: newMemoryStore(), unused: c.Store}, nil
	}
	wrapper, err := caching.NewCachingStoreWrapper(c.Store, &c.Cache)
	if err != nil {
		return nil, errors.Join(err, c.Store.Close())
	}
	if c.StoreMode == core.DataStoreModeReadOnly && c.DataSource != nil {
		return &startupStore{memory: newMemoryStore(), persistent: wrapper}, nil
	}
	return wrapper, nil
}
