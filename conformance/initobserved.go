package conformance

import (
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
)

func initObservedTests(c Capabilities) group[*fixture] {
	g := group[*fixture]{"InitObserved", []subtest[*fixture]{
		{"KeptItemsNeverVanish", testInitObservedKept},
		{"CollectionsAppearInOrder", testInitObservedOrder},
		{"LeftoversGoLast", testInitObservedLeftovers},
		{"InitializedNeverTurnsFalse", testInitObservedMark},
	}}
	if c.AtomicInit {
		g.Tests = append(g.Tests, subtest[*fixture]{"AtomicInitShowsOneSetOnly", testInitObservedAtomic})
	}
	return g
}

// generation is the data of one Init of several: every item has the generation's number as its version. Even and odd
// generations differ in what else they contain.
func (f *fixture) generation(number int) []core.SerializedCollection {
	const size = 20
	extra := live([]string{"even", "odd"}[number%2], number)
	return []core.SerializedCollection{
		collection(core.Segments, append(numbered("segment", size, number), extra)...),
		collection(core.Flags, append(numbered("flag", size, number), extra)...),
	}
}

const (
	sampleSegment = "segment-00007"
	sampleFlag    = "flag-00013"
)

// whileReplacing calls read while one generation after the other replaces the one before.
func (f *fixture) whileReplacing(read func(s *store) error) {
	f.Helper()
	writer, reader := f.open(), f.open()
	f.init(writer, f.generation(1)...)
	f.whileWriting(func() error {
		for number := 2; number < f.rounds+2; number++ {
			if err := writer.Init(f.Context(), f.generation(number)); err != nil {
				return err
			}
		}
		return nil
	}, func() error { return read(reader) })
}

func testInitObservedKept(f *fixture) {
	last := 1
	f.whileReplacing(func(s *store) error {
		version, found, err := s.version(f.Context(), core.Flags, sampleFlag)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("flag %s is in every Init, but Get found nothing after generation %d", sampleFlag, last)
		case version < last:
			return fmt.Errorf("flag %s went from generation %d back to %d", sampleFlag, last, version)
		}
		last = version
		versions, err := s.versions(f.Context(), core.Segments)
		if _, found := versions[sampleSegment]; err == nil && !found {
			err = fmt.Errorf("segment %s is in every Init, but not in GetAll", sampleSegment)
		}
		return err
	})
}

// testInitObservedOrder: a flag that is new refers to segments that are new, so these must be there already.
func testInitObservedOrder(f *fixture) {
	f.whileReplacing(func(s *store) error {
		flag, _, err := s.version(f.Context(), core.Flags, sampleFlag)
		if err != nil {
			return err
		}
		segment, _, err := s.version(f.Context(), core.Segments, sampleSegment)
		if err == nil && segment < flag {
			err = fmt.Errorf("the flag is of generation %d, but the segment, which comes first, of %d", flag, segment)
		}
		return err
	})
}

// testInitObservedLeftovers: what is deleted because it is not in the new data goes after the new data has come.
func testInitObservedLeftovers(f *fixture) {
	f.whileReplacing(func(s *store) error {
		before, _, err := s.version(f.Context(), core.Flags, sampleFlag)
		if err != nil {
			return err
		}
		_, found, err := s.version(f.Context(), core.Segments, []string{"even", "odd"}[before%2])
		if err != nil || found {
			return err
		}
		after, _, err := s.version(f.Context(), core.Flags, sampleFlag)
		if err == nil && after == before {
			err = fmt.Errorf("a segment of generation %d was gone while the flags were still of that generation", before)
		}
		return err
	})
}

func testInitObservedMark(f *fixture) {
	f.whileReplacing(func(s *store) error {
		initialized, err := s.Initialized(f.Context())
		if err == nil && !initialized {
			err = errors.New("Initialized turned false during an Init")
		}
		return err
	})
}

func testInitObservedAtomic(f *fixture) {
	f.whileReplacing(func(s *store) error {
		flags, err := s.versions(f.Context(), core.Flags)
		if err != nil {
			return err
		}
		number := flags[sampleFlag]
		if want := f.generation(number)[1].Items; len(flags) != len(want) {
			return fmt.Errorf("GetAll shows %d flags of generation %d, want %d", len(flags), number, len(want))
		}
		for key, version := range flags {
			if version != number {
				return fmt.Errorf("GetAll shows flag %s of generation %d beside others of generation %d", key, version, number)
			}
		}
		return nil
	})
}
