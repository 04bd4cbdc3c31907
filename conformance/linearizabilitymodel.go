package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/cleatdev/cleat/core"
)

// keyState is what is under one key: the item's JSON, or "" if there is none.
type keyState string

func stateOf(item core.SerializedItem, found bool) keyState {
	if !found {
		return ""
	}
	return keyState(item.Data)
}

// version returns the version inside the JSON; found is false if there is no item.
func (s keyState) version() (version int, found bool) {
	item, err := core.ParseItem([]byte(s))
	if err != nil {
		return 0, false
	}
	return item.Version(), true
}

// keyCall is one call as far as it concerns one key.
type keyCall struct {
	method, key string
	given       keyState // of Upsert and Init
	version     int      // of Upsert
}

// keyAnswer is what the call returned.
type keyAnswer struct {
	state   keyState
	written bool // of Upsert
}

// keyModel is what one key of a feature store does when calls come one after the other.
func keyModel() porcupine.Model {
	return porcupine.Model{
		Partition: partitionByKey,
		Init:      func() any { return keyState("") },
		Step: func(state, input, output any) (bool, any) {
			return stepKey(state.(keyState), input.(keyCall), output.(keyAnswer))
		},
	}
}

func stepKey(state keyState, in keyCall, out keyAnswer) (possible bool, next keyState) {
	switch in.method {
	case "Init":
		return true, in.given
	case "Upsert":
		if version, found := state.version(); found && version >= in.version {
			return !out.written && out.state == state, state
		}
		return out.written && out.state == in.given, in.given
	default:
		return out.state == state, state
	}
}

func partitionByKey(history []porcupine.Operation) [][]porcupine.Operation {
	byKey := make(map[string][]porcupine.Operation)
	for _, operation := range history {
		key := operation.Input.(keyCall).key
		byKey[key] = append(byKey[key], operation)
	}
	parts := make([][]porcupine.Operation, 0, len(byKey))
	for _, part := range byKey {
		parts = append(parts, part)
	}
	return parts
}

// describeOffence shows, for each key whose answers no order explains, the end of the longest order that explains its part of
// them, and the calls of which none can come next.
func describeOffence(history []porcupine.Operation, info porcupine.LinearizationInfo) string {
	orders := map[string][]porcupine.Operation{} // the longest for each key
	for _, partition := range info.PartialLinearizationsOperations() {
		for _, order := range partition {
			if len(order) == 0 {
				continue
			}
			if key := order[0].Input.(keyCall).key; len(order) > len(orders[key]) {
				orders[key] = order
			}
		}
	}
	var text strings.Builder
	for _, part := range partitionByKey(history) {
		key := part[0].Input.(keyCall).key
		order := orders[key]
		left := slices.DeleteFunc(slices.Clone(part), func(o porcupine.Operation) bool { return slices.Contains(order, o) })
		if len(left) == 0 {
			continue
		}
		const shown = 3
		fmt.Fprintf(&text, "An order of %d of the %d calls on %s ends with\n", len(order), len(part), key)
		describeCalls(&text, order[max(0, len(order)-shown):])
		text.WriteString("and none of these can come next:\n")
		describeCalls(&text, nextCalls(left))
	}
	return text.String()
}

// nextCalls returns those calls that began before any of them ended, in the order in which they began.
func nextCalls(calls []porcupine.Operation) []porcupine.Operation {
	firstEnd := slices.MinFunc(calls, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) }).Return
	next := slices.DeleteFunc(slices.Clone(calls), func(o porcupine.Operation) bool { return o.Call > firstEnd })
	slices.SortFunc(next, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	return next
}

func describeCalls(text *strings.Builder, calls []porcupine.Operation) {
	for _, o := range calls {
		in, out := o.Input.(keyCall), o.Output.(keyAnswer)
		fmt.Fprintf(text, "%10d–%10d ns  client %d  %s(%s, %s) -> %s written=%t\n",
			o.Call, o.Return, o.ClientId, in.method, in.key, in.given, out.state, out.written)
	}
}
