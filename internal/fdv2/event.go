package fdv2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
	"github.com/cleatdev/cleat/internal/itemjson"
)

// The names of events that mean something. All others are ignored, whatever their data.
const (
	serverIntent       = "server-intent"
	putObject          = "put-object"
	deleteObject       = "delete-object"
	payloadTransferred = "payload-transferred"
	serverError        = "error"
	goodbye            = "goodbye"
)

// intent is the data of the event server-intent, of which only the first payload counts.
type intent struct {
	Payloads []struct {
		IntentCode string `json:"intentCode"`
	} `json:"payloads"`
}

// object is the data of put-object and of delete-object, which has no Object. Version is that of the object in the payload, and
// counts only for one that is deleted.
type object struct {
	Version int             `json:"version"`
	Kind    string          `json:"kind"`
	Key     string          `json:"key"`
	Object  json.RawMessage `json:"object"`
}

// transferred is the data of payload-transferred.
type transferred struct {
	State string `json:"state"`
}

// reason is the data of the event error.
type reason struct {
	Reason string `json:"reason"`
}

// Goodbye is the data of the event goodbye, after which the service ends the connection.
type Goodbye struct {
	Reason string `json:"reason"`
	// FallbackTTL is for how many seconds the first protocol is to be used instead of this one; nil means not at all.
	FallbackTTL *int `json:"protocolFallbackTTL"`
}

// decodeObject reads the data of an event that is about an object. It keeps no part of the data, which is longer than the object.
func decodeObject(name string, data []byte) (object, error) {
	if o, ok := scanObject(data); ok {
		return o, nil
	}
	var o object
	err := decode(name, data, &o)
	return o, err
}

// scanObject reads data that is ordinary in one pass, several times as fast. Where ok is false, nothing is known.
func scanObject(data []byte) (o object, ok bool) {
	s := itemjson.NewScanner(data)
	for more := s.Object(); more; more = s.NextMember() {
		switch s.Name() {
		case "version":
			version, err := strconv.Atoi(string(s.Value()))
			if err != nil {
				return object{}, false
			}
			o.Version = version
		case "kind":
			o.Kind = s.Text()
		case "key":
			o.Key = strings.Clone(s.Text())
		case "object":
			o.Object = bytes.Clone(s.Value())
		default:
			return object{}, false
		}
	}
	return o, s.End() && utf8.Valid(data)
}

var errNotUTF8 = errors.New("it is not UTF-8")

// decode reads an event's data. Text that is not UTF-8 is refused, because it would be read as another text.
func decode(name string, data []byte, into any) error {
	err := errNotUTF8
	if utf8.Valid(data) {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%w: event %q: %w", flagservice.ErrInvalidData, name, err)
	}
	return nil
}

// kindOf returns the kind that the protocol names; false if cleat does not know it.
func kindOf(name string) (core.DataKind, bool) {
	switch name {
	case "flag":
		return core.Flags, true
	case "segment":
		return core.Segments, true
	default:
		return "", false
	}
}
