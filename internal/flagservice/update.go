package flagservice

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"unicode/utf8"

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

// ReadPatch reads {"path":"/flags/key","data":{…}}. ok is false if the update is to be ignored, because the path is of a kind
// that is unknown, or names no key, which is logged. Text that is not UTF-8 is refused. The item keeps the text.
func ReadPatch(text []byte, logger *slog.Logger) (update Update, ok bool, err error) {
	var patch struct {
		Path *string         `json:"path"`
		Data json.RawMessage `json:"data"`
	}
	if !utf8.Valid(text) {
		return Update{}, false, errNotUTF8
	}
	if path, data, ok := scanPatch(text); ok {
		patch.Path, patch.Data = &path, data
	} else if err := json.Unmarshal(text, &patch); err != nil {
		return Update{}, false, invalid(err)
	}
	update, ok, err = parsePath(patch.Path, logger)
	if err != nil || !ok {
		return Update{}, false, err
	}
	if update.Item, err = parseItem(update.Kind, patch.Data); err != nil {
		return Update{}, false, invalid(fmt.Errorf("%q: %w", *patch.Path, err))
	}
	return update, true, nil
}

// ReadDelete reads {"path":"/flags/key","version":n}, in the way of [ReadPatch].
func ReadDelete(text []byte, logger *slog.Logger) (update Update, ok bool, err error) {
	var deletion struct {
		Path    *string  `json:"path"`
		Version *float64 `json:"version"`
	}
	if !utf8.Valid(text) {
		return Update{}, false, errNotUTF8
	}
	if err := json.Unmarshal(text, &deletion); err != nil {
		return Update{}, false, invalid(err)
	}
	update, ok, err = parsePath(deletion.Path, logger)
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

// parsePath takes a path such as /flags/key apart. ok is false if it is of a kind that is unknown or has no key.
func parsePath(path *string, logger *slog.Logger) (update Update, ok bool, err error) {
	if path == nil {
		return Update{}, false, invalid(errors.New(`"path" is missing`))
	}
	rest, rooted := strings.CutPrefix(*path, "/")
	name, key, _ := strings.Cut(rest, "/")
	kind, known := kindOf(name)
	if !rooted || !known {
		return Update{}, false, nil
	}
	if key == "" {
		logEmptyKey(logger, kind)
		return Update{}, false, nil
	}
	return Update{Kind: kind, Key: key}, true, nil
}

func invalid(err error) error { return fmt.Errorf("%w: %w", ErrInvalidData, err) }
