package conformance

import (
	"context"
	"testing"

	"github.com/cleatdev/cleat/core"
)

// interruptible makes Init write one item after the other and stop with an error when the context ends.
func interruptible(f *faulty, state *faultState, stopped func(written, total int, cause error) error) {
	f.onInit = func(ctx context.Context, data []core.SerializedCollection) error {
		if ctx == nil || ctx.Err() != nil || core.ValidateInit(data) != nil || tooLarge(data) {
			return f.memory.Init(ctx, data)
		}
		if _, err := f.memory.Initialized(ctx); err != nil {
			return err
		}
		written, total := 0, 0
		for _, c := range data {
			total += len(c.Items)
		}
		for _, c := range data {
			for _, item := range c.Items {
				if ctx.Err() != nil {
					return stopped(written, total, ctx.Err())
				}
				f.db.WriteRaw(f.prefix, c.Kind, item.Key, item.Item.Data)
				if written++; written%8 == 4 {
					state.awaitReads()
				}
			}
		}
		return f.memory.Init(ctx, data)
	}
}

func partial(written, total int, cause error) error {
	return &core.PartialInitError{Written: written, Total: total, Err: cause}
}

func TestSuite_InterruptedInit_FailsWhereMeant(t *testing.T) {
	// Such an Init writes each item twice, which other writers can tell.
	may := []string{"Linearizability/OfGetUpsertAndInit"}
	runFaults(t, []fault{
		{
			name:    "stops half way and says so",
			inject:  func(f *faulty, state *faultState) { interruptible(f, state, partial) },
			declare: notAtomic,
			may:     may,
		},
		{
			name: "stops half way and says only that the context ended",
			inject: func(f *faulty, state *faultState) {
				interruptible(f, state, func(_, _ int, cause error) error { return cause })
			},
			declare: notAtomic,
			may:     may,
		},
		{
			name: "stops half way although it is declared atomic",
			inject: func(f *faulty, state *faultState) {
				interruptible(f, state, func(_, _ int, cause error) error { return cause })
			},
			must: []string{"Context/EndedDuringAtomicInitChangesAllOrNothing", "InitObserved/AtomicInitShowsOneSetOnly"},
			may:  may,
		},
		{
			name: "stops half way and sets the mark",
			inject: func(f *faulty, state *faultState) {
				interruptible(f, state, func(written, total int, cause error) error {
					state.set(f.prefix, true)
					return partial(written, total, cause)
				})
				f.onInitialized = func(ctx context.Context) (bool, error) {
					initialized, err := f.memory.Initialized(ctx)
					return err == nil && (initialized || state.get(f.prefix)), err
				}
			},
			declare: notAtomic,
			must:    []string{"Context/EndedDuringInitLeavesTheMark"},
			may:     may,
		},
	})
}
