package cleat

import (
	"slices"
	"strings"
	"sync"

	"github.com/launchdarkly/go-jsonstream/v3/jwriter"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// FlagsState holds the values of all flags for one context at one time. It is immutable. Its JSON is the form in which
// LaunchDarkly's SDKs for front ends take their first flags. The zero value is the state that is not valid.
type FlagsState struct {
	valid bool
	keys  []string
	flags []FlagState // in the order of keys
	index *flagIndex
}

// flagIndex finds flags by their keys. It is made when somebody asks for one: JSON does without. (A map of FlagState would
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
		s.index.of = make(map[string]int, len(s.keys))
		for i, key := range s.keys {
			s.index.of[key] = i
		}
	})
	index, found = s.index.of[key]
	return index, found
}

// newFlagsState returns a valid state with room for that many flags.
func newFlagsState(size int) FlagsState {
	return FlagsState{
		valid: true, keys: make([]string, 0, size), flags: make([]FlagState, 0, size), index: &flagIndex{},
	}
}

// add makes room for the state of a flag, to be filled in by the caller.
func (s *FlagsState) add(key string) *FlagState {
	s.keys, s.flags = append(s.keys, key), append(s.flags, FlagState{})
	return &s.flags[len(s.flags)-1]
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

	detailsOmitted bool // the version does not appear in the JSON
}

// Valid reports whether flags were evaluated at all.
func (s FlagsState) Valid() bool { return s.valid }

// Flag returns what is known of the flag with the key, and whether there is one.
func (s FlagsState) Flag(key string) (state FlagState, found bool) {
	i, found := s.find(key)
	if !found {
		return FlagState{}, false
	}
	return s.flags[i], true
}

// Value returns the value of the flag with the key; null if there is none.
func (s FlagsState) Value(key string) ldvalue.Value {
	flag, _ := s.Flag(key)
	return flag.Value
}

// Values returns all values by key, in a map that belongs to the caller.
func (s FlagsState) Values() map[string]ldvalue.Value {
	values := make(map[string]ldvalue.Value, len(s.flags))
	for i, key := range s.keys {
		values[key] = s.flags[i].Value
	}
	return values
}

// MarshalJSON returns an object with the value of each flag under its key, more about each flag in "$flagsState", and
// whether the state is valid in "$valid". Flags are in the order of their keys.
func (s FlagsState) MarshalJSON() ([]byte, error) {
	w := jwriter.NewWriter()
	order := make([]int, len(s.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(s.keys[a], s.keys[b]) })
	object := w.Object()
	for _, i := range order {
		s.flags[i].Value.WriteToJSONWriter(object.Name(s.keys[i]))
	}
	details := object.Name("$flagsState").Object()
	for _, i := range order {
		s.flags[i].write(details.Name(s.keys[i]))
	}
	details.End()
	object.Name("$valid").Bool(s.valid)
	object.End()
	return w.Bytes(), w.Error()
}

func (f FlagState) write(w *jwriter.Writer) {
	object := w.Object()
	defer object.End()
	object.Maybe("variation", f.Variation.IsDefined()).Int(f.Variation.IntValue())
	object.Maybe("version", !f.detailsOmitted).Int(f.Version)
	if f.Reason.IsDefined() {
		f.Reason.WriteToJSONWriter(object.Name("reason"))
	}
	object.Maybe("trackEvents", f.TrackEvents).Bool(true)
	object.Maybe("trackReason", f.TrackReason).Bool(true)
	object.Maybe("debugEventsUntilDate", f.DebugEventsUntilDate != 0).Float64(float64(f.DebugEventsUntilDate))
	if len(f.Prerequisites) > 0 {
		array := object.Name("prerequisites").Array()
		for _, key := range f.Prerequisites {
			array.String(key)
		}
		array.End()
	}
}
