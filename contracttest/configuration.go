package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
)

// configuration is the suite's description of a client.
type configuration struct {
	Credential       string        `json:"credential"`
	StartWaitTimeMs  *milliseconds `json:"startWaitTimeMs"`
	InitCanFail      bool          `json:"initCanFail"`
	ServiceEndpoints struct {
		Streaming string `json:"streaming"`
		Polling   string `json:"polling"`
		Events    string `json:"events"`
	} `json:"serviceEndpoints"`
	Streaming *struct {
		BaseURI             string       `json:"baseUri"`
		InitialRetryDelayMs milliseconds `json:"initialRetryDelayMs"`
		Filter              string       `json:"filter"`
	} `json:"streaming"`
	Polling *struct {
		BaseURI        string       `json:"baseUri"`
		PollIntervalMs milliseconds `json:"pollIntervalMs"`
		Filter         string       `json:"filter"`
	} `json:"polling"`
	Events *struct {
		BaseURI                 string       `json:"baseUri"`
		Capacity                int          `json:"capacity"`
		EnableDiagnostics       bool         `json:"enableDiagnostics"`
		AllAttributesPrivate    bool         `json:"allAttributesPrivate"`
		GlobalPrivateAttributes []string     `json:"globalPrivateAttributes"`
		FlushIntervalMs         milliseconds `json:"flushIntervalMs"`
		OmitAnonymousContexts   bool         `json:"omitAnonymousContexts"`
		EnableGzip              bool         `json:"enableGzip"`
	} `json:"events"`
	BigSegments *struct {
		CallbackURI          string       `json:"callbackUri"`
		UserCacheSize        int          `json:"userCacheSize"`
		UserCacheTimeMs      milliseconds `json:"userCacheTimeMs"`
		StatusPollIntervalMs milliseconds `json:"statusPollIntervalMs"`
		StaleAfterMs         milliseconds `json:"staleAfterMs"`
	} `json:"bigSegments"`
	Tags struct {
		ApplicationID      string `json:"applicationId"`
		ApplicationVersion string `json:"applicationVersion"`
	} `json:"tags"`
	Hooks struct {
		Hooks []hookConfiguration `json:"hooks"`
	} `json:"hooks"`
	Wrapper struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"wrapper"`
	DataSystem          *dataSystem      `json:"dataSystem"`
	PersistentDataStore *persistentStore `json:"persistentDataStore"`
	TLS                 struct {
		SkipVerifyPeer bool   `json:"skipVerifyPeer"`
		CustomCAFile   string `json:"customCAFile"`
	} `json:"tls"`
	Proxy struct {
		HTTPProxy string `json:"httpProxy"`
	} `json:"proxy"`
}

// milliseconds is a duration in the suite's JSON.
type milliseconds float64

func (m milliseconds) duration() time.Duration {
	return time.Duration(float64(m) * float64(time.Millisecond))
}

// client makes the configuration of a client.
func (c *configuration) client(ctx context.Context, logger *slog.Logger) (cleat.Config, error) {
	config := cleat.Config{
		SDKKey: c.Credential,
		Endpoints: core.ServiceEndpoints{
			Streaming: c.ServiceEndpoints.Streaming, Polling: c.ServiceEndpoints.Polling, Events: c.ServiceEndpoints.Events,
		},
		Events: events.Off(),
		HTTP: cleat.HTTPOptions{
			ProxyURL: c.Proxy.HTTPProxy, CAFile: c.TLS.CustomCAFile, InsecureSkipVerify: c.TLS.SkipVerifyPeer,
		},
		Application: cleat.Application{ID: c.Tags.ApplicationID, Version: c.Tags.ApplicationVersion},
		Wrapper:     cleat.Wrapper{Name: c.Wrapper.Name, Version: c.Wrapper.Version},
		Logger:      logger,
	}
	if c.StartWaitTimeMs != nil {
		config.StartWait = c.StartWaitTimeMs.duration()
	}
	for _, hook := range c.Hooks.Hooks {
		config.Hooks = append(config.Hooks, newHook(hook))
	}
	c.setSource(&config)
	c.setEvents(&config)
	c.setBigSegments(&config)
	store := cmp.Or(c.PersistentDataStore, c.DataSystem.store())
	if store == nil {
		return config, nil
	}
	backend, err := store.open(ctx)
	if err != nil {
		return cleat.Config{}, fmt.Errorf("opening the store: %w", err)
	}
	config.Store, config.Cache = backend.Store, backend.Cache
	return config, nil
}

func (c *configuration) setSource(config *cleat.Config) {
	switch {
	case c.DataSystem != nil:
		c.DataSystem.set(config)
	case c.Streaming != nil:
		config.DataSource = streaming.Source(streaming.Options{
			BaseURI:           c.Streaming.BaseURI,
			InitialRetryDelay: c.Streaming.InitialRetryDelayMs.duration(),
			PayloadFilter:     c.Streaming.Filter,
		})
	case c.Polling != nil:
		config.DataSource = polling.Source(polling.Options{
			BaseURI:       c.Polling.BaseURI,
			Interval:      c.Polling.PollIntervalMs.duration(),
			PayloadFilter: c.Polling.Filter,
		})
	case c.ServiceEndpoints.Streaming == "" && c.PersistentDataStore != nil:
		config.Daemon = true
	}
}

func (c *configuration) setEvents(config *cleat.Config) {
	if c.Events == nil {
		return
	}
	config.Events = events.Processor(events.Options{
		BaseURI:               c.Events.BaseURI,
		Capacity:              c.Events.Capacity,
		DisableDiagnostics:    !c.Events.EnableDiagnostics,
		AllAttributesPrivate:  c.Events.AllAttributesPrivate,
		PrivateAttributes:     c.Events.GlobalPrivateAttributes,
		FlushInterval:         c.Events.FlushIntervalMs.duration(),
		OmitAnonymousContexts: c.Events.OmitAnonymousContexts,
		EnableGzip:            c.Events.EnableGzip,
	})
}

func (c *configuration) setBigSegments(config *cleat.Config) {
	if c.BigSegments == nil {
		return
	}
	config.BigSegmentStore = &callbackStore{uri: c.BigSegments.CallbackURI}
	config.BigSegments = bigsegments.Options{
		CacheSize:          c.BigSegments.UserCacheSize,
		CacheTime:          c.BigSegments.UserCacheTimeMs.duration(),
		StatusPollInterval: c.BigSegments.StatusPollIntervalMs.duration(),
		StaleAfter:         c.BigSegments.StaleAfterMs.duration(),
	}
}

// verifiesPeer reports whether the client is meant to refuse the service's certificate: the suite expects it to exist
// all the same, although it cannot become ready.
func (c *configuration) verifiesPeer() bool {
	secure := c.Streaming != nil && strings.HasPrefix(c.Streaming.BaseURI, "https:") ||
		c.Polling != nil && strings.HasPrefix(c.Polling.BaseURI, "https:") || c.DataSystem.isSecure()
	return secure && !c.TLS.SkipVerifyPeer
}
