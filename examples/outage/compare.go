package main

import (
	"cmp"
	"fmt"
	"io"
)

// difference is an answer that is not the one that was expected.
type difference struct {
	Expected, Got answer
}

// compare returns the answers that differ. Both sides answer the same questions in the same order; an answer that is
// missing on one side is empty there.
func compare(expected, got []answer) []difference {
	at := func(answers []answer, i int) answer {
		if i >= len(answers) {
			return answer{}
		}
		return answers[i]
	}
	var differences []difference
	for i := range max(len(expected), len(got)) {
		if e, g := at(expected, i), at(got, i); !e.equal(g) {
			differences = append(differences, difference{Expected: e, Got: g})
		}
	}
	return differences
}

// printDifferences prints each difference on three lines, and only counts those beyond a limit.
func printDifferences(out io.Writer, differences []difference) {
	const limit = 20
	for i, d := range differences {
		if i == limit {
			printf(out, "  … and %d more\n", len(differences)-limit)
			return
		}
		flag, subject := cmp.Or(d.Expected.Flag, d.Got.Flag), cmp.Or(d.Expected.Subject, d.Got.Subject)
		printf(out, "  %s for %s\n    expected %s\n    got      %s\n", flag, subject, d.Expected, d.Got)
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
	flags, missing := map[string]bool{}, map[string]bool{}
	for _, a := range restarted {
		flags[a.Flag] = true
		if !a.fromStore() {
			missing[a.Flag] = true
		}
	}
	v := verdict{flags: len(flags), served: len(flags) - len(missing)}
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

// fileName names the changed or the original flag file.
func fileName(changed bool) string {
	if changed {
		return "changed file"
	}
	return "original file"
}
