package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// listeners are those that the suite has registered, by their identifiers.
type listeners struct {
	logger *slog.Logger

	mu     sync.Mutex // guards what follows
	remove map[string]func()
}

// registration registers a listener to changes of flags, or of the value of one if there is a FlagKey.
type registration struct {
	subject
	ListenerID   string        `json:"listenerId"`
	CallbackURI  string        `json:"callbackUri"`
	FlagKey      string        `json:"flagKey"`
	DefaultValue ldvalue.Value `json:"defaultValue"`
}

func (r *registration) changes(c *client) {
	c.listeners.add(r.ListenerID, c.FlagTracker().AddFlagChangeListener(func(change core.FlagChange) {
		c.listeners.notify(r.CallbackURI, map[string]any{"listenerId": r.ListenerID, "flagKey": change.Key})
	}))
}

func (r *registration) values(c *client) error {
	subject, err := r.parse()
	if err != nil {
		return err
	}
	remove := c.FlagTracker().AddFlagValueChangeListener(r.FlagKey, subject, r.DefaultValue, func(change core.FlagValueChange) {
		c.listeners.notify(r.CallbackURI, map[string]any{
			"listenerId": r.ListenerID, "flagKey": change.Key, "oldValue": change.OldValue, "newValue": change.NewValue,
		})
	})
	c.listeners.add(r.ListenerID, remove)
	return nil
}

func (l *listeners) notify(uri string, notification map[string]any) {
	if err := callBack(context.Background(), uri, notification, nil); err != nil {
		l.logger.Error("a notification could not be delivered", "error", err)
	}
}

func (l *listeners) add(id string, remove func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.remove[id]; before != nil {
		before()
	}
	l.remove[id] = remove
}

func (l *listeners) unregister(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if remove := l.remove[id]; remove != nil {
		remove()
		delete(l.remove, id)
	}
}
