package memorystore

import (
	"sync"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// Database is what the stores on it share. The zero value is an empty database, ready to use; it must not be copied. It
// is safe for concurrent use and needs no closing.
type Database struct {
	mu         sync.RWMutex // guards everything
	namespaces map[string]*namespace
	watches    map[*watch]struct{}
}

// namespace is everything under one prefix.
type namespace struct {
	items       map[core.DataKind]map[string]core.SerializedItem
	initialized bool

	lastUpToDate ldtime.UnixMillisecondTime
	cursor       string
	included     refsByHash
	excluded     refsByHash
}

// WriteRaw puts data under the key as it is, whatever was there before and whether it is JSON or not.
func (db *Database) WriteRaw(prefix string, kind core.DataKind, key string, data []byte) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.namespace(prefix).put(kind, key, core.SerializedItem{Data: data})
	db.tell(prefix, core.Change{Kind: kind, Key: key})
}

// ReadRaw returns the bytes that are under the key, which must not be changed.
func (db *Database) ReadRaw(prefix string, kind core.DataKind, key string) (data []byte, found bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	item, found := db.read(prefix).items[kind][key]
	return item.Data, found
}

// DeleteRaw removes the key, as if it had never been there.
func (db *Database) DeleteRaw(prefix string, kind core.DataKind, key string) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.namespace(prefix).items[kind], key)
	db.tell(prefix, core.Change{Kind: kind, Key: key})
}

// Wipe removes everything under every prefix. Stores that are open go on with an empty database.
func (db *Database) Wipe() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.namespaces = nil
	db.tellAll()
}

// namespace returns the namespace to write to. The caller holds the lock for writing.
func (db *Database) namespace(prefix string) *namespace {
	ns := db.namespaces[prefix]
	if ns == nil {
		ns = &namespace{
			items:    make(map[core.DataKind]map[string]core.SerializedItem),
			included: make(refsByHash),
			excluded: make(refsByHash),
		}
		if db.namespaces == nil {
			db.namespaces = make(map[string]*namespace)
		}
		db.namespaces[prefix] = ns
	}
	return ns
}

// read returns the namespace to read from, an empty one if there is none. The caller holds the lock.
func (db *Database) read(prefix string) *namespace {
	if ns := db.namespaces[prefix]; ns != nil {
		return ns
	}
	return &namespace{}
}

func (ns *namespace) put(kind core.DataKind, key string, item core.SerializedItem) {
	if ns.items[kind] == nil {
		ns.items[kind] = make(map[string]core.SerializedItem)
	}
	ns.items[kind][key] = item
}
