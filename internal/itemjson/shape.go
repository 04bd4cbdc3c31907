package itemjson

// DecodableFlag reports whether the JSON is one that the decoder of flags is known to accept. It does not decode, and allocates
// nothing. False means nothing: it takes the decoder to find out.
func DecodableFlag(data []byte) bool { return flagShape.fits(data) }

// DecodableSegment does the same for a segment.
func DecodableSegment(data []byte) bool { return segmentShape.fits(data) }

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

// The shapes have every property that the decoder knows. Of one that they do not have, it is not known here what the decoder makes of it.
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
		"key": aText, "version": anInteger, "deleted": aBoolean, "on": aBoolean, "salt": aText,
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
		"key": aText, "version": anInteger, "deleted": aBoolean, "salt": aText, "included": texts, "excluded": texts,
		"includedContexts": segmentTargets, "excludedContexts": segmentTargets,
		"rules": listOf(objectOf(map[string]*shape{
			"id": aText, "clauses": clauses, "weight": maybeAnInteger, "bucketBy": maybeAText, "rolloutContextKind": aText,
		})),
		"unbounded": aBoolean, "unboundedContextKind": aText, "generation": maybeAnInteger,
	})
)

// fits reports whether the JSON has the shape.
func (want *shape) fits(data []byte) bool {
	s := NewScanner(data)
	s.check(want)
	return s.End()
}

// check reads a value, and fails if it does not have the shape.
func (s *Scanner) check(want *shape) {
	switch found := s.sort(); {
	case want.takes == anything:
		s.skip()
	case want.takes&found == 0:
		s.fail()
	case found == object:
		for more := s.Object(); more; more = s.NextMember() {
			member := want.members[s.Name()]
			if member == nil {
				s.fail()
				return
			}
			s.check(member)
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
