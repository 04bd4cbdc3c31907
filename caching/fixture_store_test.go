package caching_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

// troubled is a memorystore that a test can make fail or hang, and that counts what it is asked.
type troubled struct {
	*memorystore.Store
	gets, getAlls, inits, upserts, changeSets, checks atomic.Int64

	byKind atomic.Bool // changes are reported of kinds and not of items

	mu sync.Mutex
	// before is run at the beginning of every operation, and may return an error instead of it.
	before func(ctx context.Context, operation string) error
	// after is run when an operation has been done and before it returns.
	after func(operation string)
}

func (t *troubled) set(before func(ctx context.Context, operation string) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.before = before
}

func (t *troubled) setAfter(after func(operation string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = after
}

// fail makes every operation return err from now on; nil makes them work again.
func (t *troubled) fail(err error) {
	if err == nil {
		t.set(nil)
		return
	}
	t.set(func(context.Context, string) error { return err })
}

// failWrites makes all writes return err from now on.
func (t *troubled) failWrites(err error) {
	t.set(func(_ context.Context, operation string) error {
		return onWrites(operation, err)
	})
}

// hang makes every operation wait for the end of its context from now on.
func (t *troubled) hang() {
	t.set(func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	})
}

func (t *troubled) begin(ctx context.Context, operation string) (end func(), err error) {
	t.mu.Lock()
	before, after := t.before, t.after
	t.mu.Unlock()
	if before != nil {
		if err := before(ctx, operation); err != nil {
			return nil, err
		}
	}
	return func() {
		if after != nil {
			after(operation)
		}
	}, nil
}

func (t *troubled) Get(ctx context.Context, kind core.DataKind, key string) (core.SerializedItem, bool, error) {
	t.gets.Add(1)
	end, err := t.begin(ctx, "Get")
	if err != nil {
		return core.SerializedItem{}, false, err
	}
	defer end()
	return t.Store.Get(ctx, kind, key)
}

// GetItems counts as a get of each item.
func (t *troubled) GetItems(ctx context.Context, kind core.DataKind, keys []string) ([]core.KeyedSerializedItem, error) {
	t.gets.Add(int64(len(keys)))
	end, err := t.begin(ctx, "GetItems")
	if err != nil {
		return nil, err
	}
	defer end()
	return t.Store.GetItems(ctx, kind, keys)
}

func (t *troubled) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	t.getAlls.Add(1)
	end, err := t.begin(ctx, "GetAll")
	if err != nil {
		return nil, err
	}
	defer end()
	return t.Store.GetAll(ctx, kind)
}

func (t *troubled) Init(ctx context.Context, data []core.SerializedCollection) error {
	t.inits.Add(1)
	end, err := t.begin(ctx, "Init")
	if err != nil {
		return err
	}
	defer end()
	return t.Store.Init(ctx, data)
}

func (t *troubled) Upsert(ctx context.Context, kind core.DataKind, key string, item core.SerializedItem) (core.UpsertResult, error) {
	t.upserts.Add(1)
	end, err := t.begin(ctx, "Upsert")
	if err != nil {
		return core.UpsertResult{}, err
	}
	defer end()
	return t.Store.Upsert(ctx, kind, key, item)
}

func (t *troubled) ApplyChangeSet(ctx context.Context, changes []core.KindAndKeyedItem) ([]core.UpsertResult, error) {
	t.changeSets.Add(1)
	end, err := t.begin(ctx, "ApplyChangeSet")
	if err != nil {
		return nil, err
	}
	defer end()
	return t.Store.ApplyChangeSet(ctx, changes)
}

func (t *troubled) Initialized(ctx context.Context) (bool, error) {
	t.checks.Add(1)
	end, err := t.begin(ctx, "Initialized")
	if err != nil {
		return false, err
	}
	defer end()
	return t.Store.Initialized(ctx)
}

func (t *troubled) CheckAvailability(ctx context.Context) error {
	end, err := t.begin(ctx, "CheckAvailability")
	if err != nil {
		return err
	}
	defer end()
	return t.Store.CheckAvailability(ctx)
}

func (t *troubled) Watch(ctx context.Context, changed func(core.Change)) error {
	return t.Store.Watch(ctx, func(change core.Change) {
		if t.byKind.Load() {
			change.Key = ""
		}
		changed(change)
	})
}

// failShare makes the given share of all operations fail.
func (t *troubled) failShare(share float64) {
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	t.set(func(context.Context, string) error {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() < share {
			return core.ErrUnavailable
		}
		return nil
	})
}

// takes makes GetAll take the second time, and every other operation the first one.
func (t *troubled) takes(others, getAll time.Duration) {
	t.set(func(ctx context.Context, operation string) error {
		latency := others
		if operation == "GetAll" {
			latency = getAll
		}
		select {
		case <-time.After(latency):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func onWrites(operation string, err error) error {
	if operation == "Init" || operation == "Upsert" || operation == "ApplyChangeSet" {
		return err
	}
	return nil
}

type bare struct{ core.FeatureStoreCore }
