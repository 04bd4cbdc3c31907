package core

// Selector names a state of an environment's data. The flag service hands it out with the data and gets it back with the next
// request, so that it can send what has changed since. It is opaque; empty means that there is none.
type Selector string

// ChangeSetType says what a [ChangeSet] does to the data that there is.
type ChangeSetType int

const (
	// ChangeSetNone means that the data that there is, is current.
	ChangeSetNone ChangeSetType = iota
	// ChangeSetFull means that the items replace everything.
	ChangeSetFull
	// ChangeSetPartial means that the items are added, or take the place of those with the same keys.
	ChangeSetPartial
)

// String returns "none", "full" or "partial".
func (t ChangeSetType) String() string {
	switch t {
	case ChangeSetNone:
		return "none"
	case ChangeSetFull:
		return "full"
	case ChangeSetPartial:
		return "partial"
	default:
		return "unknown"
	}
}

// ChangeSet is what one payload of the flag service's second protocol comes to. All of it takes effect at once. The order in which
// change sets arrive decides what is current, and not the versions of the items, unless OnlyNewer is set.
type ChangeSet struct {
	Type ChangeSetType
	// Data has the items of each kind, deleted ones as tombstones, and each key at most once. It is empty for ChangeSetNone.
	Data []Collection
	// Selector names the state that the data has with the change set; empty if the source does not say.
	Selector Selector
	// OnlyNewer is true if the items of a ChangeSetPartial take effect only where their versions are greater than those that there
	// are, one after the other. Data sources of the first protocol, in which updates may overtake each other, need it.
	OnlyNewer bool
}
