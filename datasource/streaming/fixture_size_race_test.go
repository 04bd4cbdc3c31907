//go:build race

package streaming_test

// largePut is the size of a large event. The race detector looks at each byte several times, so that less has to do.
const largePut = 8 << 20
