package itemjson

import "strconv"

// ReadFlag reads the metadata of a flag whose JSON the decoder is known to accept. It does not decode, and allocates nothing. If ok is
// false, nothing is known: it takes [Read], and the decoder, to find out.
func ReadFlag(data []byte) (meta Metadata, ok bool) { return flagShape.read(data) }

// ReadSegment does the same for a segment.
func ReadSegment(data []byte) (meta Metadata, ok bool) { return segmentShape.read(data) }

// shape is what a value may be.
type shape struct {
	takes    sorts
	members  map[string]*shape // of an object, which may have no others
	elements *shape            // of a list
}

// sorts is a set of sorts of values.
type sorts int

const (
	null sorts = 1 << iota
	boolean
	integer
	text
	object
	list
	anything // of any sort, whatever is in it
)

func objectOf(members map[string]*shape) *shape { return &shape{takes: object, members: members} }

func listOf(elements *shape) *shape { return &shape{takes: list | null, elements: elements} }

// The shapes have every property that the decoder knows, but for the metadata of the item itself. Of one that they do not have, it is not known here what the decoder makes of it.
var (
	aBoolean       = &shape{takes: boolean}
	anInteger      = &shape{takes: integer}
	maybeAnInteger = &shape{takes: integer | null}
	aText          = &shape{takes: text}
	maybeAText     = &shape{takes: text | null}
	texts          = listOf(aText)
	values         = listOf(&shape{takes: anything})

	clauses = listOf(objectOf(map[string]*shape{
		"contextKind": aText, "attribute": maybeAText, "op": aText, "values": values, "negate": aBoolean,
	}))
	rollout = &shape{takes: object | null, members: map[string]*shape{
		"kind": aText, "contextKind": aText, "bucketBy": maybeAText, "seed": maybeAnInteger,
		"variations": {takes: list, elements: objectOf(map[string]*shape{"variation": anInteger, "weight": anInteger, "untracked": aBoolean})},
	}}
	targets = listOf(objectOf(map[string]*shape{"contextKind": aText, "values": texts, "variation": anInteger}))

	flagShape = objectOf(map[string]*shape{
		"on": aBoolean, "salt": aText,
		"prerequisites": listOf(objectOf(map[string]*shape{"key": aText, "variation": anInteger})),
		"targets":       targets, "contextTargets": targets,
		"rules": listOf(objectOf(map[string]*shape{
			"id": aText, "variation": maybeAnInteger, "rollout": rollout, "clauses": clauses, "trackEvents": aBoolean,
		})),
		"fallthrough":  objectOf(map[string]*shape{"variation": maybeAnInteger, "rollout": rollout}),
		"offVariation": maybeAnInteger, "variations": values, "clientSide": aBoolean,
		"clientSideAvailability": {takes: object | null, members: map[string]*shape{
			"usingMobileKey": aBoolean, "usingEnvironmentId": aBoolean,
		}},
		"trackEvents": aBoolean, "trackEventsFallthrough": aBoolean, "debugEventsUntilDate": maybeAnInteger,
		"migration":     {takes: object | null, members: map[string]*shape{"checkRatio": anInteger}},
		"samplingRatio": anInteger, "excludeFromSummaries": aBoolean,
	})

	segmentTargets = listOf(objectOf(map[string]*shape{"contextKind": aText, "values": texts}))
	segmentShape   = objectOf(map[string]*shape{
		"salt": aText, "included": texts, "excluded": texts,
		"includedContexts": segmentTargets, "excludedContexts": segmentTargets,
		"rules": listOf(objectOf(map[string]*shape{
			"id": aText, "clauses": clauses, "weight": maybeAnInteger, "bucketBy": maybeAText, "rolloutContextKind": aText,
		})),
		"unbounded": aBoolean, "unboundedContextKind": aText, "generation": maybeAnInteger,
	})
)

// read reads an item's metadata, and checks that the item has the shape.
func (want *shape) read(data []byte) (meta Metadata, ok bool) {
	s := NewScanner(data)
	for more := s.Object(); more; more = s.NextMember() {
		switch name := s.Name(); name {
		case "version":
			meta.Version = s.version()
		case "deleted":
			meta.Deleted = s.next() == 't'
			s.check(aBoolean)
		case "key":
			meta.Key = s.Text()
		default:
			s.check(want.members[name])
		}
	}
	return meta, s.End()
}

// version reads an integer that is exact as a JSON number.
func (s *Scanner) version() int {
	s.next()
	begin := s.at
	s.check(anInteger)
	version, err := strconv.Atoi(s.text[min(begin, s.at):s.at])
	if err != nil || version > maxExactVersion || version < -maxExactVersion {
		s.fail()
	}
	return version
}

// check reads a value, and fails if it does not have the shape.
func (s *Scanner) check(want *shape) {
	switch found := s.sort(); {
	case want == nil: // a property that is not known
		s.fail()
	case want.takes == anything:
		s.skip()
	case want.takes&found == 0:
		s.fail()
	case found == object:
		for more := s.Object(); more; more = s.NextMember() {
			s.check(want.members[s.Name()])
		}
	case found == list:
		for more := s.List(); more; more = s.NextElement() {
			s.check(want.elements)
		}
	case found == integer:
		if !s.number() {
			s.fail()
		}
	default:
		s.skip()
	}
}

// sort returns what begins next; a number counts as an integer.
func (s *Scanner) sort() sorts {
	switch c := s.next(); c {
	case '{':
		return object
	case '[':
		return list
	case '"':
		return text
	case 't', 'f':
		return boolean
	case 'n':
		return null
	default:
		return integer
	}
}
