//go:build !race

package streaming_test

// largePut is the size of a large event.
const largePut = 100 << 20
