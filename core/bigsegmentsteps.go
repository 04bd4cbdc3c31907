package core

import "iter"

// Changes returns how many context hashes the patch names.
func (p BigSegmentPatch) Changes() int {
	return len(p.Included.Add) + len(p.Included.Remove) + len(p.Excluded.Add) + len(p.Excluded.Remove)
}

// Steps cuts the patch into patches of at most size changes, which must be positive. Each but the last leaves the cursor
// at PreviousVersion, and the last one moves it to Version. There is at least one. They share the lists of the patch.
func (p BigSegmentPatch) Steps(size int) iter.Seq[BigSegmentPatch] {
	return func(yield func(BigSegmentPatch) bool) {
		for rest := p; ; {
			room := size
			step := BigSegmentPatch{SegmentRef: p.SegmentRef, PreviousVersion: p.PreviousVersion, Version: p.PreviousVersion}
			step.Included.Add = take(&rest.Included.Add, &room)
			step.Excluded.Add = take(&rest.Excluded.Add, &room)
			step.Included.Remove = take(&rest.Included.Remove, &room)
			step.Excluded.Remove = take(&rest.Excluded.Remove, &room)
			last := rest.Changes() == 0
			if last {
				step.Version = p.Version
			}
			if !yield(step) || last {
				return
			}
		}
	}
}

// take removes as many hashes as there is room for from the front of the list.
func take(hashes *[]string, room *int) []string {
	n := min(len(*hashes), *room)
	taken := (*hashes)[:n:n]
	*hashes, *room = (*hashes)[n:], *room-n
	return taken
}
