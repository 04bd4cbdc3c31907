package synchronizer_test

import (
	"os"
	"strconv"
)

// revisionsVariable says how long the tests are that compare stores with a model; 1000 is a good number for a long run.
const revisionsVariable = "CLEAT_TEST_REVISIONS"

func revisionsOr(short int) int {
	if n, err := strconv.Atoi(os.Getenv(revisionsVariable)); err == nil && n > 0 {
		return n
	}
	return short
}
