package fdv2

import (
	"fmt"
	"log/slog"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/dataorder"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// Reader makes change sets of the events of one connection, in their order. It is not safe for concurrent use.
type Reader struct {
	logger  *slog.Logger
	maxSize int64
	state   state
	// next is what the objects that have arrived since the last payload come to. Their events are of size bytes together.
	next  core.ChangeSetType
	items map[dataorder.Ref]*core.Item
	size  int64
}

// state is what the connection has said so far.
type state int

const (
	silent  state = iota // no server-intent yet, so that an object has no meaning
	current              // the server-intent was none: the end of a payload without objects says nothing new
	sending              // objects are those of a payload
)

// NewReader makes the reader of a connection. The logger gets what is left out because it makes no sense. A payload whose objects are
// larger than maxSize bytes together is refused, or one that never ends would fill the memory.
func NewReader(logger *slog.Logger, maxSize int64) *Reader {
	return &Reader{logger: logger, maxSize: maxSize}
}

// Message is what an event comes to. Most come to nothing, which is the zero value.
type Message struct {
	// ChangeSet is set by the end of a payload, or by the word that there will be none.
	ChangeSet *core.ChangeSet
	// Goodbye is set when the service is about to end the connection.
	Goodbye *Goodbye
	// Discarded says why the service took back the objects of the payload that had arrived; empty if it did not.
	Discarded string
}

// Read takes an event. An error wraps [flagservice.ErrInvalidData] and means that the rest of the connection is of no use.
func (r *Reader) Read(name string, data []byte) (Message, error) {
	switch name {
	case serverIntent:
		return r.intend(data)
	case putObject, deleteObject:
		return Message{}, r.collect(name, data)
	case payloadTransferred:
		return r.complete(data)
	case serverError:
		var because reason
		if err := decode(name, data, &because); err != nil {
			return Message{}, err
		}
		r.discard()
		return Message{Discarded: "the service says: " + because.Reason}, nil
	case goodbye:
		var bye Goodbye
		if err := decode(name, data, &bye); err != nil {
			return Message{}, err
		}
		r.discard()
		return Message{Goodbye: &bye}, nil
	default: // heartbeat among them
		return Message{}, nil
	}
}

// intend begins a payload.
func (r *Reader) intend(data []byte) (Message, error) {
	var said intent
	if err := decode(serverIntent, data, &said); err != nil {
		return Message{}, err
	}
	if len(said.Payloads) == 0 {
		return Message{}, fmt.Errorf("%w: event %q names no payload", flagservice.ErrInvalidData, serverIntent)
	}
	r.discard()
	switch code := said.Payloads[0].IntentCode; code {
	case "xfer-full":
		r.state, r.next = sending, core.ChangeSetFull
	case "xfer-changes":
		r.state = sending
	case "none":
		r.state = current
		return Message{ChangeSet: &core.ChangeSet{Type: core.ChangeSetNone}}, nil
	default:
		return Message{}, fmt.Errorf("%w: event %q has the unknown code %.40q", flagservice.ErrInvalidData, serverIntent, code)
	}
	return Message{}, nil
}

// discard forgets the objects that have arrived. Those that follow without a server-intent are changes.
func (r *Reader) discard() {
	r.next, r.items, r.size = core.ChangeSetPartial, nil, 0
	if r.state == current {
		r.state = sending
	}
}

// collect takes an object of a payload. One without a key, of another kind, or that is no item is left out.
func (r *Reader) collect(name string, data []byte) error {
	received, err := decodeObject(name, data)
	if err != nil {
		return err
	}
	if r.state == silent {
		return fmt.Errorf("%w: event %q before any %q", flagservice.ErrInvalidData, name, serverIntent)
	}
	if r.size += int64(len(data)); r.size > r.maxSize {
		return fmt.Errorf("%w: a payload is larger than MaxPayloadSize, %d bytes", flagservice.ErrInvalidData, r.maxSize)
	}
	r.state = sending
	kind, known := kindOf(received.Kind)
	if !known || received.Key == "" {
		r.logger.Debug("cleat: an object of a payload is left out", "kind", received.Kind, "key", received.Key)
		return nil
	}
	item, err := received.item(name, kind)
	if err != nil {
		r.logger.Error("cleat: an object of a payload is no item and is left out",
			"kind", received.Kind, "key", received.Key, "error", err)
		return nil
	}
	if r.items == nil {
		r.items = map[dataorder.Ref]*core.Item{}
	}
	r.items[dataorder.Ref{Kind: kind, Key: received.Key}] = item
	return nil
}

// item makes an item of the object.
func (o *object) item(event string, kind core.DataKind) (*core.Item, error) {
	if event == deleteObject {
		return core.NewTombstone(kind, o.Key, o.Version), nil
	}
	return core.ParseItem(o.Object)
}

// complete ends a payload.
func (r *Reader) complete(data []byte) (Message, error) {
	var end transferred
	if err := decode(payloadTransferred, data, &end); err != nil {
		return Message{}, err
	}
	switch r.state {
	case silent:
		return Message{}, fmt.Errorf("%w: event %q before any %q", flagservice.ErrInvalidData, payloadTransferred, serverIntent)
	case current:
		return Message{}, nil
	case sending:
	}
	complete := &core.ChangeSet{Type: r.next, Data: collections(r.items), Selector: core.Selector(end.State)}
	r.discard()
	return Message{ChangeSet: complete}, nil
}

// collections returns the items by kind, in the order of [core.BuiltInKinds].
func collections(items map[dataorder.Ref]*core.Item) []core.Collection {
	var data []core.Collection
	for _, kind := range core.BuiltInKinds() {
		collection := core.Collection{Kind: kind}
		for ref, item := range items {
			if ref.Kind == kind {
				collection.Items = append(collection.Items, core.KeyedItem{Key: ref.Key, Item: item})
			}
		}
		if collection.Items != nil {
			data = append(data, collection)
		}
	}
	return data
}
