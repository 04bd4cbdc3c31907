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
	SegmentID       string `json:"segmentId"`
	Version         string `json:"version"`
	PreviousVersion string `json:"previousVersion"`
	Changes         struct {
		Included, Excluded hashes
	} `json:"changes"`
}

type hashes struct {
	Add    []string `json:"add"`
	Remove []string `json:"remove"`
}

// readPatches reads an array of patches and nothing else. An error wraps flagservice.ErrInvalidData unless it is that of
// the reader.
func readPatches(r io.Reader) ([]patch, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return parsePatches(text)
}

func parsePatches(text []byte) ([]patch, error) {
	var patches []patch
	if err := json.Unmarshal(text, &patches); err != nil {
		return nil, fmt.Errorf("%w: patches of big segments: %w", flagservice.ErrInvalidData, err)
	}
	if patches == nil { // "null" must not pass for "nothing more"
		return nil, fmt.Errorf("%w: patches of big segments: not an array", flagservice.ErrInvalidData)
	}
	for i := range patches {
		if patches[i].SegmentID == "" || patches[i].Version == "" {
			return nil, fmt.Errorf("%w: patch %d of %d of big segments lacks a segment or a version",
				flagservice.ErrInvalidData, i+1, len(patches))
		}
	}
	return patches, nil
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

// at returns the patch in the form in which it applies at the cursor; fits is false if it does not. more says that another
// patch of the same version follows, which has to find the cursor where it is.
func (p *patch) at(cursor string, more bool) (applicable core.BigSegmentPatch, fits bool) {
	applicable = core.BigSegmentPatch{
		SegmentRef:      p.SegmentID,
		PreviousVersion: cursor,
		Version:         p.Version,
		Included:        core.BigSegmentChanges(p.Changes.Included),
		Excluded:        core.BigSegmentChanges(p.Changes.Excluded),
	}
	switch {
	case p.Version == cursor:
		return applicable, true
	case p.PreviousVersion != cursor:
		return core.BigSegmentPatch{}, false
	case more:
		applicable.Version = cursor
	}
	return applicable, true
}
