package cleat

import (
	"slices"
	"strings"
	"sync"

	"github.com/launchdarkly/go-jsonstream/v3/jwriter"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// FlagsState holds the values of all flags for one context at one time. It is immutable. Its JSON is the form in which
// LaunchDarkly's SDKs for front ends take their first flags. The zero value is the state that is not valid.
type FlagsState struct {
	valid bool
	flags []evaluatedFlag
	index *flagIndex
}

// evaluatedFlag is what a [FlagState] is made of when it is asked for. It is small, because an all-flags state has one
// for each of perhaps thousands of flags, and is made for each page that a web server delivers.
type evaluatedFlag struct {
	key            string
	flag           *ldmodel.FeatureFlag
	variation      int                        // its index; -1 if there is none, and the value is null
	reason         *ldreason.EvaluationReason // nil if it was not asked for
	prerequisites  []string
	experiment     bool // the value is part of one
	detailsOmitted bool // the version does not appear in the JSON
}

// flagIndex finds flags by their keys. It is made when it is first needed: JSON does without. (A map of FlagState would
// allocate each of them by itself.)
type flagIndex struct {
	once sync.Once
	of   map[string]int
}

// find returns where the flag with the key is.
func (s FlagsState) find(key string) (index int, found bool) {
	if s.index == nil {
		return 0, false
	}
	s.index.once.Do(func() {
		s.index.of = make(map[string]int, len(s.flags))
		for i := range s.flags {
			s.index.of[s.flags[i].key] = i
		}
	})
	index, found = s.index.of[key]
	return index, found
}

// newFlagsState returns a valid state with room for that many flags.
func newFlagsState(size int) FlagsState {
	return FlagsState{valid: true, flags: make([]evaluatedFlag, 0, size), index: &flagIndex{}}
}

// FlagState is what [FlagsState] says of one flag.
type FlagState struct {
	// Value is the flag's value; null if it has none.
	Value ldvalue.Value
	// Variation is the index of the value among the flag's variations; none if it has none.
	Variation ldvalue.OptionalInt
	// Version is the flag's version.
	Version int
	// Reason is why the flag has the value; not defined if that was not asked for.
	Reason ldreason.EvaluationReason
	// TrackEvents is true if each evaluation is to be recorded by itself.
	TrackEvents bool
	// TrackReason is true if the reason is to be recorded with it, because the value is part of an experiment.
	TrackReason bool
	// DebugEventsUntilDate is until when evaluations are to be recorded for debugging; 0 means never.
	DebugEventsUntilDate ldtime.UnixMillisecondTime
	// Prerequisites are the keys of the flags that were evaluated to decide about this one, in that order.
	Prerequisites []string
}

func (e *evaluatedFlag) value() ldvalue.Value {
	if e.variation < 0 {
		return ldvalue.Null()
	}
	return e.flag.Variations[e.variation]
}

func (e *evaluatedFlag) state() FlagState {
	state := FlagState{
		Value: e.value(), Version: e.flag.Version, TrackEvents: e.trackEvents(), TrackReason: e.experiment,
		DebugEventsUntilDate: e.flag.DebugEventsUntilDate, Prerequisites: e.prerequisites,
	}
	if e.variation >= 0 {
		state.Variation = ldvalue.NewOptionalInt(e.variation)
	}
	if e.reason != nil {
		state.Reason = *e.reason
	}
	return state
}

func (e *evaluatedFlag) trackEvents() bool { return e.flag.TrackEvents || e.experiment }

// Valid reports whether flags were evaluated at all.
func (s FlagsState) Valid() bool { return s.valid }

// Flag returns what is known of the flag with the key, and whether there is one.
func (s FlagsState) Flag(key string) (state FlagState, found bool) {
	i, found := s.find(key)
	if !found {
		return FlagState{}, false
	}
	return s.flags[i].state(), true
}

// Value returns the value of the flag with the key; null if there is none.
func (s FlagsState) Value(key string) ldvalue.Value {
	flag, _ := s.Flag(key)
	return flag.Value
}

// Values returns all values by key, in a map that belongs to the caller.
func (s FlagsState) Values() map[string]ldvalue.Value {
	values := make(map[string]ldvalue.Value, len(s.flags))
	for i := range s.flags {
		values[s.flags[i].key] = s.flags[i].value()
	}
	return values
}

// MarshalJSON returns an object with the value of each flag under its key, more about each flag in "$flagsState", and
// whether the state is valid in "$valid". Flags are in the order of their keys.
func (s FlagsState) MarshalJSON() ([]byte, error) {
	w := jwriter.NewWriter()
	flags := make([]*evaluatedFlag, len(s.flags))
	for i := range flags {
		flags[i] = &s.flags[i]
	}
	slices.SortFunc(flags, func(a, b *evaluatedFlag) int { return strings.Compare(a.key, b.key) })
	object := w.Object()
	for _, e := range flags {
		e.value().WriteToJSONWriter(object.Name(e.key))
	}
	details := object.Name("$flagsState").Object()
	for _, e := range flags {
		e.write(details.Name(e.key))
	}
	details.End()
	object.Name("$valid").Bool(s.valid)
	object.End()
	return w.Bytes(), w.Error()
}

func (e *evaluatedFlag) write(w *jwriter.Writer) {
	object := w.Object()
	defer object.End()
	object.Maybe("variation", e.variation >= 0).Int(e.variation)
	object.Maybe("version", !e.detailsOmitted).Int(e.flag.Version)
	if e.reason != nil {
		e.reason.WriteToJSONWriter(object.Name("reason"))
	}
	object.Maybe("trackEvents", e.trackEvents()).Bool(true)
	object.Maybe("trackReason", e.experiment).Bool(true)
	until := e.flag.DebugEventsUntilDate
	object.Maybe("debugEventsUntilDate", until != 0).Float64(float64(until))
	if len(e.prerequisites) > 0 {
		array := object.Name("prerequisites").Array()
		for _, key := range e.prerequisites {
			array.String(key)
		}
		array.End()
	}
}
