package consulstore

import (
	"slices"

	"github.com/cleatdev/cleat/core"
)

// contextChange is what a patch does to one context. If a hash is both added and removed, removing comes last.
type contextChange struct {
	hash, key        string
	include, exclude func(refs []string, ref string) []string
}

// contextChanges merges what a patch says about each context, because a transaction may write a key once only.
func contextChanges(keys keys, patch core.BigSegmentPatch) []*contextChange {
	var all []*contextChange
	byHash := map[string]*contextChange{}
	each := func(hashes []string, note func(*contextChange)) {
		for _, hash := range hashes {
			c := byHash[hash]
			if c == nil {
				c = &contextChange{hash, keys.user(hash), same, same}
				byHash[hash] = c
				all = append(all, c)
			}
			note(c)
		}
	}
	each(patch.Included.Add, func(c *contextChange) { c.include = with })
	each(patch.Included.Remove, func(c *contextChange) { c.include = without })
	each(patch.Excluded.Add, func(c *contextChange) { c.exclude = with })
	each(patch.Excluded.Remove, func(c *contextChange) { c.exclude = without })
	return all
}

// of returns what becomes of a membership.
func (c *contextChange) of(now membership, ref string) (wanted membership, changes bool) {
	wanted = membership{
		Included: c.include(append([]string{}, now.Included...), ref),
		Excluded: c.exclude(append([]string{}, now.Excluded...), ref),
	}
	return wanted, !slices.Equal(now.Included, wanted.Included) || !slices.Equal(now.Excluded, wanted.Excluded)
}

func same(refs []string, _ string) []string { return refs }

func with(refs []string, ref string) []string {
	if slices.Contains(refs, ref) {
		return refs
	}
	return append(refs, ref)
}

func without(refs []string, ref string) []string {
	return slices.DeleteFunc(refs, func(other string) bool { return other == ref })
}
