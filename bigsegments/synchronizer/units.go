package synchronizer

// unit is what leads from one version to the next, or what is known of it. All of it is written while the store's cursor
// is at the version that it leads from.
type unit struct {
	from, to string
	patches  []patch
}

// moves reports whether the version is known that the unit leads to.
func (u *unit) moves() bool { return u.to != u.from }

// grouped is an array of patches as units.
type grouped struct {
	units []unit
	// misfit says that a patch does not begin where those before it end. It and what follows it are left out.
	misfit bool
	// ambiguous says that the last patches may also belong to the version after the last unit.
	ambiguous bool
}

// group sorts patches into units, the first of which may have begun before: it leads from the store's cursor to position,
// or nowhere yet if the two are the same.
//
// A patch leads to a version that is not the position, or belongs to the version at which the position is: to the rest of
// it if it says that it follows the same version as that, and otherwise either to the rest or to the beginning of the next
// one. Public material does not say which. It is then put into both units, which is right in both cases: what belongs to
// a version is written at the cursor before it, and once more where that changes nothing.
//
// A patch that bears the store's cursor as its version belongs to the beginning of the next one. Strict asks that it also
// bears it as its previous version; an event that does not may be a late one.
func group(cursor, position string, patches []patch, strict bool) (g grouped) {
	current := unit{from: cursor, to: position}
	var beginning []patch // of the next unit
	for _, p := range patches {
		switch {
		case current.moves() && p.version == current.to:
			current.patches = append(current.patches, p)
			if p.previous != current.from {
				beginning = append(beginning, p)
			}
		case !current.moves() && p.version == current.from && (p.previous == p.version || !strict):
			current.patches = append(current.patches, p)
		case p.previous != current.to:
			g.misfit = true
		case !current.moves():
			current.to = p.version
			current.patches = append(current.patches, p)
		default:
			g.units = append(g.units, current)
			current = unit{from: current.to, to: p.version, patches: append(beginning, p)}
			beginning = nil
		}
		if g.misfit {
			break
		}
	}
	g.units, g.ambiguous = append(g.units, current), len(beginning) > 0
	return g
}
