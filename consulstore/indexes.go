package consulstore

import "sync"

// maxRemembered bounds how many keys are remembered, at about a hundred bytes each.
const maxRemembered = 100_000

// indexes remembers for keys that this process wrote when they were last modified, and which version they then had. It is
// what makes most upserts one request, and it may be wrong at any time: the server compares the index before it writes.
// The zero value is empty and ready.
type indexes struct {
	mu    sync.Mutex
	known map[string]stamp
}

// stamp is the state of a key: when it was last modified, for which 0 means that it is not there, and the version of its
// item.
type stamp struct {
	index   uint64
	version int
}

func (x *indexes) get(name string) (stamp, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	known, found := x.known[name]
	return known, found
}

// put remembers a key, unless something newer is known.
func (x *indexes) put(name string, now stamp) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.known == nil {
		x.known = map[string]stamp{}
	}
	known, found := x.known[name]
	if found && known.index >= now.index {
		return
	}
	if !found && len(x.known) >= maxRemembered {
		for other := range x.known { // any one
			delete(x.known, other)
			break
		}
	}
	x.known[name] = now
}

func (x *indexes) forget(names ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, name := range names {
		delete(x.known, name)
	}
}
