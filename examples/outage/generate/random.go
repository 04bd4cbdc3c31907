package main

import (
	"fmt"
	"math/rand/v2"
)

// random draws from a generator whose sequence is fixed by its seed. It reduces the numbers itself: of math/rand/v2,
// only the sequence of a source is promised to stay, not what is made of it.
type random struct {
	source *rand.PCG
}

func newRandom(seed uint64) *random {
	return &random{source: rand.NewPCG(seed, seed)}
}

// below returns a number from 0 to n-1.
func (r *random) below(n int) int {
	return int(r.source.Uint64() % uint64(n))
}

// between returns a number from low to high, both included.
func (r *random) between(low, high int) int {
	return low + r.below(high-low+1)
}

// chance returns true in the given percentage of cases.
func (r *random) chance(percent int) bool {
	return r.below(100) < percent
}

// hex returns n hexadecimal digits, at most 16.
func (r *random) hex(n int) string {
	return fmt.Sprintf("%016x", r.source.Uint64())[:n]
}

// pick returns one of the choices.
func pick[T any](r *random, choices []T) T {
	return choices[r.below(len(choices))]
}

// sample returns n different choices in the order in which they are given.
func sample[T any](r *random, choices []T, n int) []T {
	chosen := make([]T, 0, n)
	for i, choice := range choices {
		if missing := n - len(chosen); missing > 0 && r.below(len(choices)-i) < missing {
			chosen = append(chosen, choice)
		}
	}
	return chosen
}
