package caching

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
)

var (
	errWiped        = errors.New("caching: the database was initialised and is not any more; it was emptied or replaced")
	errGoneTogether = errors.New("caching: all items that were known are missing from the database; it was emptied or has evicted them")
	errBehind       = errors.New("caching: the database is being brought up to date after an outage")
)

const (
	// leastPause is the least time between two looks at the database, whatever happens.
	leastPause = 20 * time.Millisecond
	// secondLook is how long after a first look at lost data the second one comes: an Init by another writer that deletes
	// before it writes looks like a loss for a moment.
	secondLook = time.Second
	// lateLook is how long after the first look the second one comes if most of a kind is gone: after an eviction and an update,
	// a process that has everything fills the database before that.
	lateLook = 30 * time.Second
	// maxWitnesses is how many known items are looked for in a database that lost its data and has its mark again.
	maxWitnesses = 8
)

// monitor finds out how the database is, until the wrapper is closed: now and then while it is healthy, at once when a call
// has failed or takes long, and at growing intervals while it is down.
func (w *CachingStoreWrapper) monitor() {
	retry := &backoff.ExponentialBackOff{
		InitialInterval: w.opts.MinRetryDelay, Multiplier: backoff.DefaultMultiplier, MaxInterval: w.opts.MaxRetryDelay,
	}
	looks := map[*kind]*look{}
	timer := time.NewTimer(w.jittered(w.opts.CheckInterval))
	defer timer.Stop()
	for regular := false; w.db.now().state != closed; regular = false {
		select {
		case <-w.run.Context().Done():
			return
		case <-timer.C:
			regular = true
		case <-w.kick:
		}
		began := time.Now()
		w.checkDatabase(regular)
		pause := w.opts.CheckInterval
		switch s := w.db.now(); {
		case s.state == down, w.reads.failure() != nil && s.state != wiped:
			pause = max(retry.NextBackOff()-time.Since(began), 1) // a check that hung was pause enough
		case s.readable() && w.lookAtDoubts(looks):
			pause = min(pause, secondLook)
		case regular:
			retry.Reset()
		}
		timer.Reset(w.jittered(pause))
		if !w.rest(leastPause) {
			return
		}
	}
}

// checkDatabase finds out in what state the database is.
func (w *CachingStoreWrapper) checkDatabase(regular bool) {
	wasDown, wasMarked := w.db.now().state == down, w.marked.Load()
	probed := make(chan error, 1)
	w.run.Go(func() { probed <- w.probe() })
	initialized, err := w.noteMark(ask(w.run.Context(), w, "Initialized", w.opts.ReadTimeout, w.core.Initialized))
	var probeErr error
	select {
	case probeErr = <-probed:
	case <-w.run.Context().Done():
		return
	}
	if failed := errors.Join(err, probeErr); failed != nil && (wasDown || err != nil && probeErr != nil) {
		w.db.note(silent, failed)
		return
	}
	if f := w.reads.failure(); f != nil {
		_, _ = w.lookForItem(f.of.Kind, f.of.Key) // tells whether what failed last can be read now
		if f = w.reads.failure(); f != nil && (wasDown || f.count >= brokenReads) {
			w.db.note(silent, f.err)
			return
		}
	}
	w.judgeData(err != nil, initialized, wasMarked, regular)
	if refused := w.writer.refusal(); refused != nil {
		w.db.note(refuses, refused)
	}
}

// judgeData finds out whether a database that answers has its data.
func (w *CachingStoreWrapper) judgeData(unsure, initialized, wasMarked, regular bool) {
	switch before := w.db.now().state; {
	case unsure: // one check of two failed
	case !initialized && wasMarked:
		w.lose(errWiped)
	case before == down:
		w.recover()
	case before == wiped:
		if initialized && w.hasWitnesses(maxWitnesses) {
			w.db.note(hasData, nil)
			w.reportAll()
		}
	case regular && !w.opts.AcceptWipe:
		w.hasWitnesses(1)
	}
}

// lose notes that the database has lost its data. What an Init of this process brought is written to it again.
func (w *CachingStoreWrapper) lose(cause error) {
	w.marked.Store(false)
	w.db.noteLoss(lostData, cause, !w.writer.restore())
}

// recover notes that the database answers again. What it may have lost in the outage is written to it again.
func (w *CachingStoreWrapper) recover() {
	switch {
	case !w.caches():
		w.db.noteLoss(answers, nil, w.writer.forget())
	case w.writer.behind():
		w.db.note(answersBehind, errBehind)
	default:
		w.db.note(answers, nil)
	}
	w.writer.restore()
	w.writer.wake()
	w.reportAll()
}

// reportAll has everything in use read again if the database is watched, because what the watch reported during an outage was
// not read.
func (w *CachingStoreWrapper) reportAll() {
	if w.watched() {
		w.reports.add(core.Change{})
	}
}

// probe makes the smallest possible check.
func (w *CachingStoreWrapper) probe() error {
	check := func(ctx context.Context) error { _, err := w.core.Initialized(ctx); return err }
	if checker, found := w.core.(core.AvailabilityChecker); found {
		check = checker.CheckAvailability
	}
	_, err := ask(w.run.Context(), w, "CheckAvailability", w.opts.ReadTimeout, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, check(ctx)
	})
	return err
}

// hasWitnesses reports whether the database has, of each kind, one of some live items that are known. Kinds of which it has none
// become doubtful.
func (w *CachingStoreWrapper) hasWitnesses(most int) bool {
	all := true
	for _, k := range w.gen.Load().kinds() {
		asked, found := 0, false
		for key, s := range k.slots.All() {
			if v := s.value.Load(); !v.isLive() || v.held() {
				continue
			}
			loaded, err := w.lookForItem(k.name, key)
			if err != nil {
				return false
			}
			asked++
			if found = !loaded.isUnknown(); found || asked == most {
				break
			}
		}
		if asked > 0 && !found {
			k.doubtful.Store(true)
			all = false
		}
	}
	return all
}

// look is what was found by looking at a kind of which a load found less than is known. It belongs to the monitor.
type look struct {
	finding finding
	gone    map[string]int // the versions that the database has of items that are gone or older than known; MinInt for none
	since   time.Time      // of the first of the looks in a row that found the same
}

// same reports whether two looks found the same.
func (l *look) same(other *look) bool {
	if l.finding != other.finding || len(l.gone) != len(other.gone) {
		return false
	}
	for key, version := range l.gone {
		if v, found := other.gone[key]; !found || v != version {
			return false
		}
	}
	return true
}

// patience returns for how long looks have to find the same until it is believed.
func (l *look) patience(own bool) time.Duration {
	switch {
	case l.finding == nothingGone || l.finding == aloneGone:
		return 0
	case l.finding == mostGone && !own:
		return lateLook
	default:
		return secondLook
	}
}

// lookAtDoubts looks at kinds of which loads found less than is known, and reports whether it wants to look again. What two
// looks have found, some time apart, is believed.
func (w *CachingStoreWrapper) lookAtDoubts(looks map[*kind]*look) (again bool) {
	g := w.gen.Load()
	for of := range looks {
		if g.kind(of.name) != of {
			delete(looks, of)
		}
	}
	for _, k := range g.kinds() {
		if !k.doubtful.Load() || w.notAsked(g, k) != nil {
			delete(looks, k)
			continue
		}
		begin := k.begin()
		loaded, err := w.readAll(w.run.Context(), k.name)
		if err != nil {
			again = true
			continue
		}
		is := k.compare(loaded)
		if was := looks[k]; was == nil || !was.same(is) {
			is.since = time.Now()
			looks[k] = is
		}
		if time.Since(looks[k].since) < is.patience(k.own) {
			again = true
			continue
		}
		k.doubtful.Store(false)
		delete(looks, k)
		w.believe(k, is, loaded, begin)
	}
	return again
}

// compare looks at what the database has of a kind beside what is known of it.
func (k *kind) compare(loaded map[string]*value) *look {
	l := &look{gone: map[string]int{}}
	known, absent, older := 0, 0, 0
	for key, s := range k.slots.All() {
		v := s.value.Load()
		if v.item == nil || v.held() {
			continue
		}
		known += count(v.isLive())
		switch is := loaded[key]; {
		case is == nil && v.isLive():
			absent++
			l.gone[key] = math.MinInt
		case is != nil && is.err == nil && is.version() < v.version():
			older++
			l.gone[key] = is.version()
		}
	}
	l.finding = judgeLook(known, absent, older)
	return l
}

// believe acts on what looks at a kind have found.
func (w *CachingStoreWrapper) believe(k *kind, l *look, loaded map[string]*value, begin uint64) {
	switch l.finding {
	case nothingGone:
	case aloneGone:
		if k.own {
			w.writer.restore()
			return
		}
		w.opts.Logger.Warn("caching: the only known item of its kind is missing from the data store; it is kept", "kind", k.name)
	case togetherGone:
		if k.name == core.Flags || w.refersToAny(l.gone) {
			w.lose(errGoneTogether)
			return
		}
		w.replaceGone(k, l, loaded, begin) // an Init of another process has left none, and nothing refers to any
	case mostGone:
		if k.own {
			w.writer.restore() // what was evicted, but for updates since; what another process deleted, the data source deletes too
			return
		}
		w.replaceGone(k, l, loaded, begin)
	case someGone:
		w.replaceGone(k, l, loaded, begin)
	}
}

// replaceGone believes that items are gone, or older than known.
func (w *CachingStoreWrapper) replaceGone(k *kind, l *look, loaded map[string]*value, begin uint64) {
	for key := range l.gone {
		v := loaded[key]
		if v == nil {
			v = w.newValue(nil)
		}
		known := k.lookup(key)
		if counts := k.load(key, v, begin, true, w.room); !counts.sameAs(known) {
			w.changes.Publish(core.Change{Kind: k.name, Key: key})
		}
	}
}

// refersToAny reports whether a flag in the database refers to one of some keys, none of which are those of flags. A database
// that cannot be read counts as one that does.
func (w *CachingStoreWrapper) refersToAny(keys map[string]int) bool {
	flags, err := w.readAll(w.run.Context(), core.Flags)
	if err != nil {
		return true
	}
	for _, v := range flags {
		if v.item == nil {
			continue
		}
		for _, ref := range dataorder.Dependencies(core.Flags, v.item) {
			if _, gone := keys[ref.Key]; gone && ref.Kind != core.Flags {
				return true
			}
		}
	}
	return false
}

// jittered returns d less up to a quarter, so that processes that began at once do not stay in step.
func (w *CachingStoreWrapper) jittered(d time.Duration) time.Duration {
	return d - time.Duration(w.opts.Random()*float64(d)/4)
}

// rest waits, and reports false if the wrapper was closed meanwhile.
func (w *CachingStoreWrapper) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.run.Context().Done():
		return false
	case <-timer.C:
		return true
	}
}

// brokenReads is how many reads have to fail in a row until a database that answers checks counts as one that cannot be read.
const brokenReads = 5

// readFailure is the last of some reads of items that have failed without a success in between. It is immutable.
type readFailure struct {
	of    core.Change
	err   error
	count int
}

// readRecord knows whether reads of items fail although the database answers.
type readRecord struct {
	mu   sync.Mutex // guards what follows
	last *readFailure
}

func (r *readRecord) note(of core.Change, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.last = nil
	case !failsAll(err) || errors.Is(err, context.Canceled) || errors.Is(err, core.ErrClosed):
	case r.last == nil:
		r.last = &readFailure{of, err, 1}
	default:
		r.last = &readFailure{of, err, r.last.count + 1}
	}
}

// failure returns the last failure; nil if a read has succeeded since.
func (r *readRecord) failure() *readFailure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
