package redisstore

import (
	"strings"
	"sync"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	// gatherTime is how long changes of whole kinds are collected: an Init changes several at once, and other writers write
	// one item after the other.
	gatherTime = 10 * time.Millisecond

	// recheckInterval is how often a kind is reported whose notices were taken for those of cleat's writes.
	recheckInterval = 10 * time.Minute
)

// news makes changes of what servers tell: notices, which say that a kind was written, and messages of cleat's own writers,
// which say which item. A write by cleat causes both, on one connection, the message first. The rule is that a message of an
// item explains the next notice of its kind; a notice that no message explains is about a write by another program.
//
// A server that tracks keys tells once of a key that was written several times within one turn of its event loop. So a notice
// that is explained may hide a write by another program in that same turn, which the recheck makes good.
type news struct {
	mu     sync.Mutex // held while report is called, so that calls are made one at a time
	report func(core.Change)
	ended  bool
	kindOf map[string]core.DataKind // by the Redis key; the mark is no kind's
	due    map[core.Change]struct{} // about to be reported: whole kinds, or everything
	unsure map[core.Change]struct{} // kinds of which notices were explained since the last recheck
}

func newNews(names keys, report func(core.Change)) *news {
	return &news{
		report: report, kindOf: map[string]core.DataKind{names.inited(): ""},
		due: map[core.Change]struct{}{}, unsure: map[core.Change]struct{}{},
	}
}

// add adds kinds that are watched.
func (n *news) add(names keys, kinds []core.DataKind) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, kind := range kinds {
		n.kindOf[names.items(kind)] = kind
	}
}

// anything notes that anything may have changed.
func (n *news) anything() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.soon(core.Change{})
}

// notice notes that a Redis key was written.
func (n *news) notice(f *feed, redisKey string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kind, watched := n.kindOf[redisKey]
	switch {
	case !watched:
	case kind != "" && f.named[kind]:
		f.named[kind] = false
		n.unsure[core.Change{Kind: kind}] = struct{}{}
	default:
		n.soon(core.Change{Kind: kind})
	}
}

// message notes what a writer of cleat's wrote.
func (n *news) message(f *feed, payload string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	kind, key, ours := strings.Cut(payload, ":")
	change := core.Change{Kind: core.DataKind(kind), Key: key}
	switch {
	case !ours || n.ended:
	case kind == "" || key == "":
		n.soon(core.Change{Kind: change.Kind})
	default:
		f.named[change.Kind] = true
		n.report(change)
	}
}

// recheck reports every kind of which notices were explained.
func (n *news) recheck() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for change := range n.unsure {
		n.soon(change)
	}
	clear(n.unsure)
}

// soon reports the change after gatherTime, with others like it.
func (n *news) soon(change core.Change) {
	if len(n.due) == 0 {
		time.AfterFunc(gatherTime, n.flush)
	}
	n.due[change] = struct{}{}
}

func (n *news) flush() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, everything := n.due[core.Change{}]; everything {
		clear(n.due)
		n.due[core.Change{}] = struct{}{}
	}
	for change := range n.due {
		if !n.ended {
			n.report(change)
		}
	}
	clear(n.due)
}

// end makes sure that nothing is reported any more.
func (n *news) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
}
