package endtoend

import (
	"context"
	"fmt"
	"sync"

	"github.com/cleatdev/cleat/core"
)

// errCut is what every call returns while the link is cut.
var errCut = fmt.Errorf("endtoend: the link to the store is cut: %w", core.ErrUnavailable)

// link stands between a client and its store. The subtest can cut and mend it.
type link struct {
	core.FeatureStoreCore
	inits   chan struct{} // receives when an Init has begun, if there is room
	watched chan struct{} // closed when the first change was reported

	mu      sync.Mutex
	isCut   bool
	pending map[*context.CancelFunc]struct{}
}

// newLink returns a link to the store and the store as the client sees it, with the abilities that it has.
func newLink(store core.FeatureStoreCore) (*link, core.FeatureStoreCore) {
	l := &link{
		FeatureStoreCore: store,
		inits:            make(chan struct{}, 1),
		watched:          make(chan struct{}),
		pending:          map[*context.CancelFunc]struct{}{},
	}
	checker, checks := store.(core.AvailabilityChecker)
	watcher, watches := store.(core.Watcher)
	switch {
	case checks && watches:
		return l, struct {
			*link
			linkedChecker
			*linkedWatcher
		}{l, linkedChecker{l, checker}, &linkedWatcher{link: l, watcher: watcher}}
	case checks:
		return l, struct {
			*link
			linkedChecker
		}{l, linkedChecker{l, checker}}
	case watches:
		return l, struct {
			*link
			*linkedWatcher
		}{l, &linkedWatcher{link: l, watcher: watcher}}
	default:
		return l, l
	}
}

// cut makes every call fail, also those that are under way.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for cancel := range l.pending {
		(*cancel)()
	}
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
}

// begin returns the context for a call, or an error if the link is cut.
func (l *link) begin(ctx context.Context) (limited context.Context, end func(), err error) {
	if ctx == nil {
		return nil, nil, core.ErrInvalid
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		return nil, nil, errCut
	}
	limited, cancel := context.WithCancel(ctx)
	l.pending[&cancel] = struct{}{}
	return limited, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.pending, &cancel)
		cancel()
	}, nil
}

// through makes a call through the link.
func through[R any](ctx context.Context, l *link, call func(ctx context.Context) (R, error)) (result R, err error) {
	limited, end, err := l.begin(ctx)
	if err != nil {
		return result, err
	}
	defer end()
	result, err = call(limited)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		var none R
		return none, errCut
	}
	return result, err
}

// Init implements [core.FeatureStoreCore].
func (l *link) Init(ctx context.Context, data []core.SerializedCollection) error {
	_, err := through(ctx, l, func(ctx context.Context) (struct{}, error) {
		select {
		case l.inits <- struct{}{}:
		default:
		}
		return struct{}{}, l.FeatureStoreCore.Init(ctx, data)
	})
	return err
}

// Get implements [core.FeatureStoreCore].
func (l *link) Get(ctx context.Context, kind core.DataKind, key string) (item core.SerializedItem, found bool, err error) {
	item, err = through(ctx, l, func(ctx context.Context) (core.SerializedItem, error) {
		item, found, err = l.FeatureStoreCore.Get(ctx, kind, key)
		return item, err
	})
	return item, found && err == nil, err
}

// GetAll implements [core.FeatureStoreCore].
func (l *link) GetAll(ctx context.Context, kind core.DataKind) ([]core.KeyedSerializedItem, error) {
	return through(ctx, l, func(ctx context.Context) ([]core.KeyedSerializedItem, error) {
		return l.FeatureStoreCore.GetAll(ctx, kind)
	})
}

// Upsert implements [core.FeatureStoreCore].
func (l *link) Upsert(
	ctx context.Context, kind core.DataKind, key string, item core.SerializedItem,
) (core.UpsertResult, error) {
	return through(ctx, l, func(ctx context.Context) (core.UpsertResult, error) {
		return l.FeatureStoreCore.Upsert(ctx, kind, key, item)
	})
}

// Initialized implements [core.FeatureStoreCore].
func (l *link) Initialized(ctx context.Context) (bool, error) {
	return through(ctx, l, l.FeatureStoreCore.Initialized)
}

type linkedChecker struct {
	link    *link
	checker core.AvailabilityChecker
}

// CheckAvailability implements [core.AvailabilityChecker].
func (c linkedChecker) CheckAvailability(ctx context.Context) error {
	_, err := through(ctx, c.link, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.checker.CheckAvailability(ctx)
	})
	return err
}

type linkedWatcher struct {
	link    *link
	watcher core.Watcher
	begun   sync.Once
}

// Watch implements [core.Watcher]. What is reported while the link is cut is passed on: it is a hint at any time.
func (w *linkedWatcher) Watch(ctx context.Context, changed func(core.Change)) error {
	return w.watcher.Watch(ctx, func(c core.Change) {
		changed(c)
		w.begun.Do(func() { close(w.link.watched) })
	})
}
