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

// readPatches reads an array of patches and nothing else, without ever holding the text of it. An error wraps
// flagservice.ErrInvalidData unless it is that of the reader.
func readPatches(source io.Reader) ([]patch, error) {
	r := &failing{Reader: source}
	d := patchDecoder{json.NewDecoder(r)}
	patches, err := d.array()
	switch {
	case err == nil:
		return patches, nil
	case r.err != nil:
		return nil, r.err
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("%w: patches of big segments: %w", flagservice.ErrInvalidData, err)
}

// failing remembers why reading failed, to tell a connection that breaks from text that ends too early.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
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

// errTooLarge is wrapped when the service sends more than Options.MaxSize.
var errTooLarge = errors.New("larger than MaxSize")

// limited reads at most as many bytes as left says, and then fails.
type limited struct {
	reader io.Reader
	left   int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("%w: the answer is %w", flagservice.ErrInvalidData, errTooLarge)
	}
	return n, err
}
