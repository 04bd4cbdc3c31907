package synchronizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// patch is a change to one big segment, as the flag service sends it.
type patch struct {
	segment            string
	previous, version  string
	included, excluded core.BigSegmentChanges
}

// readPatches reads an array of patches and nothing else, without ever holding the text of it, which is refused as a whole if
// it is not UTF-8. An error wraps flagservice.ErrInvalidData unless it is that of the reader.
func readPatches(reader io.Reader) ([]patch, error) {
	source := flagservice.NewSource(reader)
	patches, err := patchDecoder{json.NewDecoder(source)}.array()
	if err != nil {
		return nil, source.Explain(fmt.Errorf("patches of big segments: %w", err))
	}
	return patches, nil
}

// patchDecoder reads patches value by value.
type patchDecoder struct{ *json.Decoder }

// array reads the whole text. "null" must not pass for "nothing more".
func (d patchDecoder) array() (patches []patch, err error) {
	if err := d.expect(json.Delim('[')); err != nil {
		return nil, err
	}
	for d.More() {
		p, err := d.patch()
		if err != nil {
			return nil, fmt.Errorf("number %d: %w", len(patches)+1, err)
		}
		patches = append(patches, p)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errors.New("something follows the array"), err)
	}
	return patches, nil
}

// patch reads a patch. A version that is empty is not the same as none: that of the first patches of an empty store is.
func (d patchDecoder) patch() (p patch, err error) {
	versioned := false
	err = d.object(func(name string) error {
		switch name {
		case "segmentId":
			return d.Decode(&p.segment)
		case "version":
			versioned = true
			return d.Decode(&p.version)
		case "previousVersion":
			return d.Decode(&p.previous)
		case "changes":
			return d.object(func(name string) error {
				switch name {
				case "included":
					return d.changes(&p.included)
				case "excluded":
					return d.changes(&p.excluded)
				default:
					return d.skip()
				}
			})
		default:
			return d.skip()
		}
	})
	if err == nil && (p.segment == "" || !versioned || p.version == "" && p.previous != "") {
		err = errors.New("it lacks a segment or a version")
	}
	return p, err
}

func (d patchDecoder) changes(changes *core.BigSegmentChanges) error {
	return d.object(func(name string) error {
		switch name {
		case "add":
			return d.hashes(&changes.Add)
		case "remove":
			return d.hashes(&changes.Remove)
		default:
			return d.skip()
		}
	})
}

func (d patchDecoder) hashes(hashes *[]string) error {
	if begun, err := d.begin('['); !begun {
		return err
	}
	for d.More() {
		var hash string
		if err := d.Decode(&hash); err != nil {
			return err
		}
		*hashes = append(*hashes, hash)
	}
	_, err := d.Token()
	return err
}

// object reads an object, or null, and calls member for each property, which has to read the value.
func (d patchDecoder) object(member func(name string) error) error {
	if begun, err := d.begin('{'); !begun {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := member(name.(string)); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// begin reads the beginning of an object or an array; begun is false for null.
func (d patchDecoder) begin(delimiter json.Delim) (begun bool, err error) {
	token, err := d.Token()
	if err != nil || token == nil {
		return false, err
	}
	if token != delimiter {
		return false, fmt.Errorf("%v instead of %v", token, delimiter)
	}
	return true, nil
}

func (d patchDecoder) expect(delimiter json.Delim) error {
	begun, err := d.begin(delimiter)
	if err == nil && !begun {
		err = fmt.Errorf("null instead of %v", delimiter)
	}
	return err
}

func (d patchDecoder) skip() error {
	var skipped json.RawMessage
	return d.Decode(&skipped)
}
