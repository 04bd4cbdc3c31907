package cleat

import (
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/datasystem"
)

// flagTracker tells of changes that went through the client's update sink, and of those that others made in the store.
type flagTracker struct {
	client *Client
}

var _ core.FlagTracker = (*flagTracker)(nil)

func (t *flagTracker) AddFlagChangeListener(listener func(core.FlagChange)) (remove func()) {
	if listener == nil {
		return t.client.sink.AddChangeListener(t.client.lifetime, nil)
	}
	return t.client.sink.AddChangeListener(t.client.lifetime, func(change core.FlagChange) {
		if change != datasystem.AnyFlag {
			listener(change)
		}
	})
}

func (t *flagTracker) AddFlagValueChangeListener(
	key string, evalContext ldcontext.Context, defaultValue ldvalue.Value, listener func(core.FlagValueChange),
) (remove func()) {
	if listener == nil {
		return func() {}
	}
	evaluate := func() ldvalue.Value {
		return t.client.currentValue(key, &evalContext, defaultValue)
	}
	// The listener is added before the first evaluation, so that no change is missed, and waits for it.
	var mu sync.Mutex
	mu.Lock()
	defer mu.Unlock()
	var current ldvalue.Value
	update := func() (change core.FlagValueChange, changed bool) {
		mu.Lock()
		defer mu.Unlock()
		change = core.FlagValueChange{Key: key, OldValue: current, NewValue: evaluate()}
		if t.client.closed.Load() {
			return change, false // what a closed client answers is no change of the flag
		}
		current = change.NewValue
		return change, !change.OldValue.Equal(change.NewValue)
	}
	remove = t.client.sink.AddChangeListener(t.client.lifetime, func(change core.FlagChange) {
		if change.Key != key && change != datasystem.AnyFlag {
			return
		}
		if change, changed := update(); changed {
			listener(change)
		}
	})
	current = evaluate()
	return remove
}

// currentValue evaluates a flag for the tracker, of which neither hooks nor events tell.
func (c *Client) currentValue(key string, evalContext *ldcontext.Context, defaultValue ldvalue.Value) ldvalue.Value {
	var result evaluated
	c.evaluateKey(c.lifetime, key, evalContext, false, &result)
	jsonVariation.conclude(&result.Detail, defaultValue)
	return result.Detail.Value
}
