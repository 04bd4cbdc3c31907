package main

import (
	"fmt"
	"io"
)

// difference is an answer that is not the one that was expected.
type difference struct {
	Expected, Got answer
}

// compare returns the answers that differ. An answer that is missing on one side is empty there.
func compare(expected, got []answer) []difference {
	var differences []difference
	answers := make(map[answerID]answer, len(got))
	for _, a := range got {
		answers[a.id()] = a
	}
	for _, e := range expected {
		g, found := answers[e.id()]
		if !found || !e.equal(g) {
			differences = append(differences, difference{Expected: e, Got: g})
		}
		delete(answers, e.id())
	}
	for _, g := range got {
		if _, unexpected := answers[g.id()]; unexpected {
			differences = append(differences, difference{Got: g})
		}
	}
	return differences
}

// printDifferences prints each difference on two lines, and only counts those beyond a limit.
func printDifferences(out io.Writer, differences []difference) {
	const limit = 20
	for i, d := range differences {
		if i == limit {
			printf(out, "  … and %d more\n", len(differences)-limit)
			return
		}
		id := d.Expected.id()
		if id == (answerID{}) {
			id = d.Got.id()
		}
		printf(out, "  %s for %s\n    expected %s\n    got      %s\n", id.flag, id.subject, d.Expected, d.Got)
	}
}

// verdict is the outcome of the job.
type verdict struct {
	flags       int  // flags evaluated in the second process
	served      int  // of these, flags that the store had
	differences int  // answers that differ from the closer one of the two sets
	updated     bool // the closer one is the set of the changed file
}

// judge compares the answers of the second process with both sets of expected ones. It must match one of them whole.
func judge(before, after, restarted []answer) (verdict, []difference) {
	v := verdict{flags: countFlags(restarted), served: countServed(restarted)}
	differences := compare(before, restarted)
	if other := compare(after, restarted); len(other) < len(differences) {
		differences, v.updated = other, true
	}
	v.differences = len(differences)
	return v, differences
}

func (v verdict) ok() bool {
	return v.flags > 0 && v.served == v.flags && v.differences == 0
}

// String returns the last line of the output.
func (v verdict) String() string {
	state := "OK"
	if !v.ok() {
		state = "FAILED"
	}
	return fmt.Sprintf("%s: %d flags evaluated, %d served from the store with the source gone, %d differences",
		state, v.flags, v.served, v.differences)
}

// set names the set of expected answers that comes closest.
func (v verdict) set() string {
	if v.updated {
		return "changed file"
	}
	return "original file"
}
