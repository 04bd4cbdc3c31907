package bigsegmentsuite

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

func testCursorEmptyPatch(f *fixture) {
	s := f.open()
	s.apply(patch("a.g1", "", "", adds(hashOne), unchanged()))
	s.wantCursor("")
	s.apply(patch("", "", "1", unchanged(), unchanged()))
	s.wantCursor("1")
	s.wantMembership(hashOne, []string{"a.g1"}, nil)
	s.wantApplied(patch("a.g1", "", "2", unchanged(), unchanged()), false)
	s.wantCursor("1")
}

// testCursorLatePatch has another writer move the cursor while a large patch is written, and then write the opposite. If
// the patch takes several steps, those that come too late must not write any more.
func testCursorLatePatch(f *fixture) {
	hashes := f.contexts()
	late, other := f.open(), f.open()
	late.Guard, other.Guard = late.Patient(), other.Patient()
	for round := range f.LateRounds {
		from, to, after := strconv.Itoa(2*round), strconv.Itoa(2*round+1), strconv.Itoa(2*round+2)
		if round == 0 {
			from = ""
		}
		finished := make(chan error, 1)
		go func() {
			_, err := late.applyPatch(patch("big.g1", from, from, adds(hashes...), unchanged()))
			finished <- err
		}()
		overtaken := f.awaitFirst(late, finished, hashes)
		other.apply(patch("big.g1", from, to, unchanged(), unchanged()))
		other.apply(patch("big.g1", to, after, removes(hashes...), unchanged()))
		if overtaken {
			if err := <-finished; err != nil {
				f.Fatalf("ApplyPatch while another writer moved the cursor: %v, want no error", err)
			}
		}
		for _, hash := range hashes {
			other.wantMembership(hash, nil, nil)
		}
	}
}

// awaitFirst waits until one of the first contexts is written, and reports false if the whole patch was.
func (f *fixture) awaitFirst(s *store, finished chan error, hashes []string) (overtaken bool) {
	f.Helper()
	for begin := time.Now(); time.Since(begin) < f.Wait; {
		select {
		case err := <-finished:
			if err != nil {
				f.Fatalf("ApplyPatch of a large patch: %v", err)
			}
			return false
		default:
		}
		for _, hash := range []string{hashes[0], hashes[len(hashes)/2], hashes[len(hashes)-1]} {
			membership, err := s.membership(hash)
			if err != nil {
				f.Fatalf("Membership during ApplyPatch: %v", err)
			}
			if membership.Len() > 0 {
				return true
			}
		}
	}
	f.Fatalf("a large patch has neither ended nor shown itself within %v", f.Wait)
	return false
}

func (f *fixture) contexts() []string {
	hashes := make([]string, f.Contexts)
	for i := range hashes {
		hashes[i] = core.BigSegmentContextHash(fmt.Sprint("user-", i))
	}
	return hashes
}

// testCursorManyWriters has several writers write the same sequence of versions, each in two pieces and a move, and each
// version the opposite of the one before. However slow one of them is, none may leave traces of an older version.
func testCursorManyWriters(f *fixture) {
	const versions = 10
	hashes := f.contexts()[:min(f.Contexts, 100)]
	stores := make([]*store, f.Workers)
	for i := range stores {
		stores[i] = f.open()
	}
	suite.Concurrently(f, f.Workers, func(worker int) error {
		return writeVersions(stores[worker], versions, hashes)
	})
	stores[0].wantCursor(strconv.Itoa(versions))
	for i, hash := range hashes {
		included, excluded := []string{"a.g1"}, []string(nil)
		if (i+versions)%2 == 1 {
			included, excluded = nil, []string{"a.g1"}
		}
		stores[0].wantMembership(hash, included, excluded)
	}
}

// writeVersions goes on from wherever the cursor is, until the last version.
func writeVersions(s *store, versions int, hashes []string) error {
	for range 100 * versions {
		cursor, err := s.cursor()
		if err != nil {
			return err
		}
		number := 0
		if _, err := fmt.Sscan(cursor, &number); err != nil && cursor != "" {
			return err
		}
		if number == versions {
			return nil
		}
		if err := writeVersion(s, cursor, number+1, hashes); err != nil {
			return err
		}
	}
	return errors.New("the cursor does not get to the last version")
}

func writeVersion(s *store, cursor string, number int, hashes []string) error {
	var in, out []string
	for i, hash := range hashes {
		if (i+number)%2 == 0 {
			in = append(in, hash)
		} else {
			out = append(out, hash)
		}
	}
	for _, p := range []core.BigSegmentPatch{
		patch("a.g1", cursor, cursor, core.BigSegmentChanges{Add: in, Remove: out}, unchanged()),
		patch("a.g1", cursor, cursor, unchanged(), core.BigSegmentChanges{Add: out, Remove: in}),
		patch("a.g1", cursor, strconv.Itoa(number), unchanged(), unchanged()),
	} {
		if applied, err := s.applyPatch(p); err != nil || !applied {
			return err
		}
	}
	return nil
}
