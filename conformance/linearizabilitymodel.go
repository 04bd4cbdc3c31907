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

// describeHistory lists the calls by key, in the order in which they began.
func describeHistory(history []porcupine.Operation) string {
	var text strings.Builder
	for _, part := range partitionByKey(history) {
		slices.SortFunc(part, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
		for _, o := range part {
			in, out := o.Input.(keyCall), o.Output.(keyAnswer)
			fmt.Fprintf(&text, "%10d–%10d ns  client %d  %s(%s, %s) -> %s written=%t\n",
				o.Call, o.Return, o.ClientId, in.method, in.key, in.given, out.state, out.written)
		}
	}
	return text.String()
}
