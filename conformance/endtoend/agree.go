package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/layout"
)

// everyItem is what is looked at in the database at each step.
func everyItem() []ref {
	return []ref{
		flagRef(switchKey), flagRef(bySegmentKey), flagRef(dependentKey), segmentRef(innerKey), segmentRef(outerKey),
	}
}

// looksAt returns everyItem and what else is in the world.
func (w world) looksAt() []ref {
	refs := everyItem()
	for of := range w {
		if !slices.Contains(refs, of) {
			refs = append(refs, of)
		}
	}
	return refs
}

// flags returns the keys of the flags that are in the world, deleted or not, and one that never is.
func (w world) flags() []string {
	keys := []string{"no-such-flag"}
	for of := range maps.Keys(w) {
		if of.kind == core.Flags {
			keys = append(keys, of.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// wantBoth holds the client to what flags evaluate to in the world, and the database to holding that world.
func (f *fixture) wantBoth(c *client, w world) {
	f.Helper()
	f.wantStored(w)
	f.wantValues(c, w)
}

// wantStored holds the database to holding the world soon, byte by byte.
func (f *fixture) wantStored(w world) {
	f.Helper()
	f.eventually("what was delivered", func() string { return f.storedDiffers(w, exactly) })
}

// wantValues holds the client to what flags evaluate to in the world.
func (f *fixture) wantValues(c *client, w world) {
	f.Helper()
	if problem := f.valuesDiffer(c, w); problem != "" {
		f.Fatal(problem)
	}
}

// wantSeen holds the client to what flags evaluate to now that another one has written, if the mode lets it see that, and
// otherwise to what they evaluated to before.
func (f *fixture) wantSeen(c *client, before, now world) {
	f.Helper()
	switch f.mode.sees {
	case seesAtOnce:
		f.wantValues(c, now)
	case seesSoon:
		f.eventually("what another client wrote", func() string { return f.valuesDiffer(c, now) })
	default:
		f.wantValues(c, before)
	}
}

// wantValue holds the client to a value that the subtest names, so as not to rely on the suite's own account alone.
func (f *fixture) wantValue(c *client, key string, evalContext ldcontext.Context, want string) {
	f.Helper()
	if got := c.StringVariation(f.Context(), key, evalContext, defaultValue); got != want {
		f.Fatalf("flag %q is %q for %s, want %q", key, got, evalContext.Key(), want)
	}
}

// wantFailed holds the client to returning the default value with the reason.
func (f *fixture) wantFailed(c *client, key string, reason ldreason.EvalErrorKind) {
	f.Helper()
	_, got := c.StringVariationDetail(f.Context(), key, member(), defaultValue)
	if problem := differs(got, failed(reason)); problem != "" {
		f.Fatalf("flag %q: %s", key, problem)
	}
}

// strictness says what is to be made of tombstones.
type strictness bool

const (
	exactly strictness = true
	// liveOnly is for what a client rewrites: what is deleted may be a tombstone or not be there at all.
	liveOnly strictness = false
)

// storedDiffers returns how the database differs from the world, "" if it does not.
func (f *fixture) storedDiffers(w world, s strictness) string {
	f.Helper()
	for _, of := range w.looksAt() {
		data, found := f.h.ReadRaw(f.tester, f.prefix, of.kind, of.key)
		problem := rawDiffers(data, found, w[of], s)
		if problem == "" && found {
			problem = layout.Incomplete(of.kind, data) // readers in other languages rely on every property
		}
		if problem != "" {
			return fmt.Sprintf("%v: %s", of, problem)
		}
	}
	return ""
}

func rawDiffers(data []byte, found bool, want *core.Item, s strictness) string {
	switch {
	case want == nil && found && s == liveOnly && isTombstone(data),
		want != nil && want.Deleted() && s == liveOnly && (!found || isTombstone(data)):
		return ""
	case want == nil && found:
		return fmt.Sprintf("there is %.200s, want nothing", data)
	case want == nil:
		return ""
	case !found:
		return fmt.Sprintf("there is nothing, want %.200s", want.JSON())
	case !bytes.Equal(data, want.JSON()):
		return fmt.Sprintf("there is %.200s, want %.200s", data, want.JSON())
	}
	return ""
}

func isTombstone(data []byte) bool {
	item, err := core.ParseItem(data)
	return err == nil && item.Deleted()
}

// valuesDiffer returns how evaluations of the client differ from those in the world, "" if they do not. What is read from
// a database costs time, so each of the contexts goes one of the two ways.
func (f *fixture) valuesDiffer(c *client, w world) string {
	f.Helper()
	for _, key := range w.flags() {
		_, got := c.StringVariationDetail(f.Context(), key, member(), defaultValue)
		if problem := differs(got, w.detail(key, member())); problem != "" {
			return fmt.Sprintf("flag %q for %s: %s", key, member().Key(), problem)
		}
	}
	return f.allFlagsDiffer(c, w, stranger())
}

// allFlagsDiffer returns how AllFlagsState differs from what flags evaluate to in the world, "" if it does not.
func (f *fixture) allFlagsDiffer(c *client, w world, evalContext ldcontext.Context) string {
	state := c.AllFlagsState(f.Context(), evalContext, cleat.WithReasons())
	if !state.Valid() {
		return fmt.Sprintf("AllFlagsState for %s is not valid", evalContext.Key())
	}
	for _, key := range w.flags() {
		got, found := state.Flag(key)
		switch {
		case found != w.has(flagRef(key)):
			return fmt.Sprintf("AllFlagsState for %s: flag %q: found is %t", evalContext.Key(), key, found)
		case !found:
			continue
		case got.Version != w[flagRef(key)].Version():
			return fmt.Sprintf("AllFlagsState for %s: flag %q has version %d, want %d", evalContext.Key(), key, got.Version,
				w[flagRef(key)].Version())
		}
		detail := ldreason.EvaluationDetail{Value: got.Value, VariationIndex: got.Variation, Reason: got.Reason}
		if problem := differs(detail, w.detail(key, evalContext)); problem != "" {
			return fmt.Sprintf("AllFlagsState for %s: flag %q: %s", evalContext.Key(), key, problem)
		}
	}
	return ""
}

// differs returns how two details differ, "" if they do not.
func differs(got, want ldreason.EvaluationDetail) string {
	if g, w := inJSON(got), inJSON(want); g != w {
		return fmt.Sprintf("got %s, want %s", g, w)
	}
	return ""
}

func inJSON(detail ldreason.EvaluationDetail) string {
	data, err := json.Marshal([]any{detail.Value, detail.VariationIndex, detail.Reason})
	if err != nil {
		return err.Error()
	}
	return string(data)
}
