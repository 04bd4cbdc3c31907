package flagservice

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// Update is what a stream tells of one item.
type Update struct {
	Kind core.DataKind
	Key  string
	// Item is the item, or for a deletion nil.
	Item *core.Item
	// Version is that of a deletion.
	Version int
}

// ReadPatch reads {"path":"/flags/key","data":{…}}. ok is false if the path is of a kind that is unknown, so that the
// update is to be ignored.
func ReadPatch(text string) (update Update, ok bool, err error) {
	var patch struct {
		Path *string         `json:"path"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal([]byte(text), &patch); err != nil {
		return Update{}, false, invalid(err)
	}
	update, ok, err = parsePath(patch.Path)
	if err != nil || !ok {
		return Update{}, false, err
	}
	if update.Item, err = parseItem(update.Kind, patch.Data); err != nil {
		return Update{}, false, invalid(fmt.Errorf("%q: %w", *patch.Path, err))
	}
	return update, true, nil
}

// ReadDelete reads {"path":"/flags/key","version":n}, in the way of [ReadPatch].
func ReadDelete(text string) (update Update, ok bool, err error) {
	var deletion struct {
		Path    *string  `json:"path"`
		Version *float64 `json:"version"`
	}
	if err := json.Unmarshal([]byte(text), &deletion); err != nil {
		return Update{}, false, invalid(err)
	}
	update, ok, err = parsePath(deletion.Path)
	if err != nil || !ok {
		return Update{}, false, err
	}
	const maxExact = 1 << 53
	version := deletion.Version
	if version == nil || *version != math.Trunc(*version) || math.Abs(*version) > maxExact {
		return Update{}, false, invalid(fmt.Errorf("%q: the version is not an integer", *deletion.Path))
	}
	update.Version = int(*version)
	return update, true, nil
}

// parsePath takes a path such as /flags/key apart. ok is false if it is of a kind that is unknown.
func parsePath(path *string) (update Update, ok bool, err error) {
	if path == nil {
		return Update{}, false, invalid(errors.New(`"path" is missing`))
	}
	rest, rooted := strings.CutPrefix(*path, "/")
	name, key, _ := strings.Cut(rest, "/")
	kind, known := kinds()[name]
	if !rooted || !known {
		return Update{}, false, nil
	}
	if key == "" {
		return Update{}, false, invalid(fmt.Errorf("the path %q names no key", *path))
	}
	return Update{Kind: kind, Key: key}, true, nil
}

func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalidData, err) }
