package caching

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/cleatdev/cleat/core"
)

var (
	errWiped        = errors.New("caching: the database was initialised and is not any more; it was emptied or replaced")
	errGoneTogether = errors.New("caching: all items that were known are missing from the database; it was emptied or has evicted them")
	errBehind       = errors.New("caching: the database is being brought up to date after an outage")
)

// leastPause is the least time between two looks at the database, whatever happens.
const leastPause = 20 * time.Millisecond

// monitor finds out how the database is, until the wrapper is closed: now and then while it is healthy, at once when a call
// has failed or takes long, and at growing intervals while it is down or without its data.
func (w *CachingStoreWrapper) monitor() {
	retry := &backoff.ExponentialBackOff{
		InitialInterval: w.opts.MinRetryDelay, Multiplier: backoff.DefaultMultiplier, MaxInterval: w.opts.MaxRetryDelay,
	}
	looks := map[*kind]*look{}
	timer := time.NewTimer(w.jittered(w.opts.CheckInterval))
	defer timer.Stop()
	for regular := false; w.db.now().state != closed; regular = false {
		select {
		case <-w.store.Context().Done():
			return
		case <-timer.C:
			regular = true
		case <-w.kick:
		}
		began := time.Now()
		w.checkDatabase(regular)
		pause := w.opts.CheckInterval
		switch s := w.db.now(); {
		case s.state == down, s.state == wiped, w.reads.failure() != nil:
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
	w.store.Go(func() { probed <- w.store.CheckAvailability(w.store.Context()) })
	initialized, err := w.noteMark(w.store.Initialized(w.store.Context()))
	var probeErr error
	select {
	case probeErr = <-probed:
	case <-w.store.Context().Done():
		return
	}
	w.noteClosed(errors.Join(err, probeErr))
	if failed := cmp.Or(err, probeErr); failed != nil && (wasDown || err != nil && probeErr != nil) {
		w.db.note(silent, failed)
		return
	}
	if f := w.reads.failure(); f != nil {
		_, _ = w.lookForItem(f.kind, rand.Text()) // ends the row if some items alone cannot be read
		if f = w.reads.failure(); f != nil && (wasDown || f.count >= brokenReads) {
			w.db.note(silent, f.err)
			return
		}
	}
	w.judgeData(err != nil, initialized, wasMarked, regular)
	w.writer.noteRefusal()
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
		if initialized && (w.caches() && w.hasWitnesses(maxWitnesses) || !w.caches() && !w.lacksWitnesses()) {
			w.db.note(hasData, nil)
			w.reportAll()
		}
	case !regular || w.opts.AcceptWipe:
	case w.caches():
		w.hasWitnesses(regularWitnesses)
	default:
		w.doubtWitnesses()
	}
}

// lose notes that the database has lost its data. What an Init of this process brought is written to it again.
func (w *CachingStoreWrapper) lose(cause error) {
	w.marked.Store(false)
	if !w.caches() {
		w.writer.forget() // everything is about to come
	}
	w.db.noteLoss(lostData, cause, !w.gen.Load().own) // first: what the writer brings ends the loss
	w.writer.restore()
	w.writer.wake() // it does nothing while the database is down
}

// recover notes that the database answers again. What it may have lost in the outage is written to it again.
func (w *CachingStoreWrapper) recover() {
	for _, k := range w.gen.Load().kinds() { // first: reads begin when the state changes
		k.stagger(w.clock.exactNow(), w.reports.period, w.opts.random)
	}
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

// jittered returns d less up to a quarter, so that processes that began at once do not stay in step.
func (w *CachingStoreWrapper) jittered(d time.Duration) time.Duration {
	return d - time.Duration(w.opts.random()*float64(d)/4)
}

// rest waits, and reports false if the wrapper was closed meanwhile.
func (w *CachingStoreWrapper) rest(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-w.store.Context().Done():
		return false
	case <-timer.C:
		return true
	}
}

// brokenReads is how many reads have to fail in a row until a database that answers checks counts as one that cannot be read.
const brokenReads = 5

// readFailure is the last of some reads of items that have failed without a success in between. It is immutable.
type readFailure struct {
	kind  core.DataKind
	err   error
	count int
}

// readRecord knows whether reads of items fail although the database answers.
type readRecord struct {
	mu   sync.Mutex // guards what follows
	last *readFailure
}

func (r *readRecord) note(kind core.DataKind, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.last = nil
	case !failsAll(err) || errors.Is(err, context.Canceled) || errors.Is(err, core.ErrClosed):
	case r.last == nil:
		r.last = &readFailure{kind, err, 1}
	default:
		r.last = &readFailure{kind, err, r.last.count + 1}
	}
}

// failure returns the last failure; nil if a read has succeeded since.
func (r *readRecord) failure() *readFailure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
