package conformance

import (
	"testing"
	"time"
)

// sizes says how much of everything the subtests do.
type sizes struct {
	manyItems   int           // items of one large Init
	bigItem     int           // bytes of the large item, if the adapter names no limit
	longKey     int           // bytes of the long key, if the adapter names no limit
	workers     int           // goroutines of a concurrency test
	rounds      int           // what each of them does
	histories   int           // recorded histories
	modelChecks int           // sequences of operations compared with the model
	wait        time.Duration // for how long something is awaited that has to come
}

func fullSizes() sizes {
	return sizes{
		manyItems:   20_000,
		bigItem:     5 << 20,
		longKey:     10 << 10,
		workers:     8,
		rounds:      50,
		histories:   10,
		modelChecks: 100,
		wait:        30 * time.Second,
	}
}

func shortSizes() sizes {
	return sizes{
		manyItems:   500,
		bigItem:     256 << 10,
		longKey:     10 << 10,
		workers:     4,
		rounds:      20,
		histories:   3,
		modelChecks: 20,
		wait:        10 * time.Second,
	}
}

func defaultSizes() sizes {
	if testing.Short() {
		return shortSizes()
	}
	return fullSizes()
}
