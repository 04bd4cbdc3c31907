package main

import (
	"strings"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
	"github.com/cleatdev/cleat/datasource/polling"
)

// dataSystem is the suite's description of the sources of the second protocol, and of the store beside them.
type dataSystem struct {
	Store *struct {
		PersistentDataStore *persistentStore `json:"persistentDataStore"`
	} `json:"store"`
	StoreMode    int `json:"storeMode"`
	Initializers []struct {
		Polling *pollingSource `json:"polling"`
	} `json:"initializers"`
	Synchronizers []struct {
		Streaming *streamingSource `json:"streaming"`
		Polling   *pollingSource   `json:"polling"`
	} `json:"synchronizers"`
	Fallback *pollingSource `json:"fdv1Fallback"`
}

const storeModeReadOnly = 0

type pollingSource struct {
	BaseURI        string       `json:"baseUri"`
	PollIntervalMs milliseconds `json:"pollIntervalMs"`
}

func (p *pollingSource) options() fdv2.PollingOptions {
	return fdv2.PollingOptions{BaseURI: p.BaseURI, Interval: p.PollIntervalMs.duration()}
}

type streamingSource struct {
	BaseURI             string       `json:"baseUri"`
	InitialRetryDelayMs milliseconds `json:"initialRetryDelayMs"`
}

func (s *streamingSource) options() fdv2.StreamingOptions {
	return fdv2.StreamingOptions{BaseURI: s.BaseURI, InitialRetryDelay: s.InitialRetryDelayMs.duration()}
}

// set makes the configuration of a client of it. Without sources, the client only reads its store.
func (d *dataSystem) set(config *cleat.Config) {
	if d.StoreMode == storeModeReadOnly && d.store() != nil {
		config.StoreMode = core.DataStoreModeReadOnly
	}
	system := &core.DataSystem{}
	for _, initializer := range d.Initializers {
		if initializer.Polling != nil {
			system.Initializers = append(system.Initializers, fdv2.PollingInitializer(initializer.Polling.options()))
		}
	}
	for _, synchronizer := range d.Synchronizers {
		switch {
		case synchronizer.Streaming != nil:
			system.Synchronizers = append(system.Synchronizers, fdv2.StreamingSynchronizer(synchronizer.Streaming.options()))
		case synchronizer.Polling != nil:
			system.Synchronizers = append(system.Synchronizers, fdv2.PollingSynchronizer(synchronizer.Polling.options()))
		}
	}
	if d.Fallback != nil {
		system.Fallback = fdv2.ClassicSynchronizer(polling.Source(polling.Options{
			BaseURI: d.Fallback.BaseURI, Interval: d.Fallback.PollIntervalMs.duration(),
		}))
	}
	if len(system.Initializers)+len(system.Synchronizers) == 0 {
		config.Daemon = true
		return
	}
	config.DataSystem = system
}

func (d *dataSystem) store() *persistentStore {
	if d == nil || d.Store == nil {
		return nil
	}
	return d.Store.PersistentDataStore
}

// isSecure reports whether a source speaks TLS.
func (d *dataSystem) isSecure() bool {
	if d == nil {
		return false
	}
	for _, initializer := range d.Initializers {
		if initializer.Polling != nil && strings.HasPrefix(initializer.Polling.BaseURI, "https:") {
			return true
		}
	}
	for _, synchronizer := range d.Synchronizers {
		if synchronizer.Streaming != nil && strings.HasPrefix(synchronizer.Streaming.BaseURI, "https:") ||
			synchronizer.Polling != nil && strings.HasPrefix(synchronizer.Polling.BaseURI, "https:") {
			return true
		}
	}
	return false
}
