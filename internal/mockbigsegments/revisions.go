package mockbigsegments

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// revision is the patches of one version.
type revision struct {
	version string
	patches []Patch
}

// Publish makes a revision of the changes, sends it to all open streams, and returns its version.
func (s *Service) Publish(changes ...Change) (version string) {
	patches := s.add(changes)
	s.Send(patches...)
	return patches[0].Version
}

// PublishUnseen makes a revision that no stream is told of, as if that had been lost.
func (s *Service) PublishUnseen(changes ...Change) (version string) { return s.add(changes)[0].Version }

func (s *Service) add(changes []Change) []Patch {
	s.mu.Lock()
	defer s.mu.Unlock()
	previous := ""
	if n := len(s.revisions); n > 0 {
		previous = s.revisions[n-1].version
	}
	version := fmt.Sprintf("rev-%d", len(s.revisions)+1)
	patches := make([]Patch, 0, len(changes))
	for _, change := range changes {
		patches = append(patches, Patch{
			EnvironmentID: "environment", SegmentID: change.Segment, Version: version, PreviousVersion: previous,
			Changes: Changes{
				Included: Hashes{Add: change.Include, Remove: change.Uninclude},
				Excluded: Hashes{Add: change.Exclude, Remove: change.Unexclude},
			},
		})
	}
	s.revisions = append(s.revisions, revision{version, patches})
	return patches
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
