package mockbigsegments

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// Change is what a revision does to one big segment. Include, Exclude and the other lists hold context hashes.
type Change struct {
	// Segment is the segment reference: key and generation.
	Segment string

	Include, Uninclude []string
	Exclude, Unexclude []string
}

// Patch is the form in which the service sends a change.
type Patch struct {
	EnvironmentID   string  `json:"environmentId"`
	SegmentID       string  `json:"segmentId"`
	Version         string  `json:"version"`
	PreviousVersion string  `json:"previousVersion"`
	Changes         Changes `json:"changes"`
}

// Changes are what a patch does to the two sets of a segment.
type Changes struct {
	Included Hashes `json:"included"`
	Excluded Hashes `json:"excluded"`
}

// Hashes lists context hashes.
type Hashes struct {
	Add    []string `json:"add"`
	Remove []string `json:"remove"`
}

// Form is how the patches of one revision say to which version they belong. Here, w is the version of the revision and v the
// revision's w.
type Form int

// Forms.
const (
	// Held is the service's: all but the last say that they lead from v to v, and the last that it leads to w. Under an
	// empty store, v is empty.
	Held Form = iota
	// Shared has all patches say that they lead from v to w.
	Shared
	// Own has the first patch say that it leads from v to w, and the others that they lead from w to w. They belong to w
	// nevertheless: a poll for what follows w does not bring them.
	Own
)

// stamp returns the versions of patch i of n.
func (f Form) stamp(i, n int, previous, version string) (from, to string) {
	switch {
	case f == Held && i < n-1:
		return previous, previous
	case f == Own && i > 0:
		return version, version
	default:
		return previous, version
	}
}

// revision is the patches of one version.
type revision struct {
	version string
	patches []Patch
}

// SetForm sets the form of the revisions to come; by default it is Held.
func (s *Service) SetForm(form Form) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.form = form
}

// SetEventSize sets how many patches an event has at most; by default there is no limit.
func (s *Service) SetEventSize(patches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eventSize = patches
}

// Publish makes a revision of the changes, sends it to all open streams, and returns its version.
func (s *Service) Publish(changes ...Change) (version string) {
	version, patches, size := s.add(changes)
	for event := range slices.Chunk(patches, size) {
		s.Send(event...)
	}
	return version
}

// PublishUnseen makes a revision that no stream is told of, as if that had been lost.
func (s *Service) PublishUnseen(changes ...Change) (version string) {
	version, _, _ = s.add(changes)
	return version
}

func (s *Service) add(changes []Change) (version string, patches []Patch, eventSize int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	previous := ""
	if n := len(s.revisions); n > 0 {
		previous = s.revisions[n-1].version
	}
	version = fmt.Sprintf("rev-%d", len(s.revisions)+1)
	patches = make([]Patch, 0, len(changes))
	for i, change := range changes {
		from, to := s.form.stamp(i, len(changes), previous, version)
		patches = append(patches, Patch{
			EnvironmentID: "environment", SegmentID: change.Segment, Version: to, PreviousVersion: from,
			Changes: Changes{
				Included: Hashes{Add: change.Include, Remove: change.Uninclude},
				Excluded: Hashes{Add: change.Exclude, Remove: change.Unexclude},
			},
		})
	}
	s.revisions = append(s.revisions, revision{version, patches})
	return version, patches, s.eventSize
}

// Text returns the JSON array of patches that polls and streams carry.
func Text(patches ...Patch) string {
	if patches == nil {
		patches = []Patch{}
	}
	text, err := json.Marshal(patches)
	if err != nil {
		panic(err) // strings only
	}
	return string(text)
}

func (s *Service) servePoll(w http.ResponseWriter, r *http.Request) {
	patches, known := s.after(r.URL.Query().Get("after"))
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(Text(patches...)))
}

// after returns the patches of the next revisions.
func (s *Service) after(version string) (patches []Patch, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known = version == ""
	revisions := 0
	for _, r := range s.revisions {
		if known && revisions < s.pageSize {
			patches = append(patches, r.patches...)
			revisions++
		}
		known = known || r.version == version
	}
	return patches, known
}
