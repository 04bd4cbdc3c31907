package benchmarks

import (
	"errors"
	"time"

	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/benchmarks/measure"
)

func simpleVariation() workload {
	return workload{
		name: "client/bool-simple", title: "bool variation, simple flag, cached store, events off", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostAbove(60, measure.Bare), measure.AtMost(measure.Allocations, 0)},
		note: "The flag is on for everybody. Ours does not ask the evaluator about flags that have one value for all contexts, " +
			"because they are off or have neither targets, rules, prerequisites nor a rollout.",
		setup: func(b *bench) sides { return variation(b, simpleFlag) },
	}
}

func rulesVariation() workload {
	return workload{
		name: "client/bool-rules", title: "bool variation, flag with rules", metric: measure.Time,
		goals: []measure.Goal{measure.AtMostAbove(80, measure.Bare), measure.AtMost(measure.Allocations, 0)},
		note: "Ours leaves out the index of a clause with few values when it decodes a flag, so that the evaluator searches them one " +
			"by one, which is faster. Theirs and the bare evaluator have the flag as the library decodes it.",
		setup: func(b *bench) sides { return variation(b, ruleFlag) },
	}
}

// clients makes a client of each side that only reads a database with the flags, and keeps what it read for long.
func clients(b *bench, flags []flagJSON) (*cleat.Client, *ld.LDClient) {
	b.Helper()
	ours := &memory{}
	require.NoError(b, ours.Init(b.ctx(), serialized(flags, firstVersion)))
	theirs := &memoryLD{}
	require.NoError(b, theirs.Init(serializedLD(flags, firstVersion)))
	return client(b, ours, longTTL(), nil),
		clientLD(b, persistentLD(theirs).CacheTime(time.Hour), ldcomponents.ExternalUpdatesOnly())
}

// variation evaluates one flag of 1,000 again and again.
func variation(b *bench, flag func(int) flagJSON) sides {
	flags := flagsOf(1000, flag)
	ours, theirs := clients(b, flags)
	key, who, ctx := flags[500].key, customer(), b.ctx()
	model := flags[500].model(b)
	evaluator := evaluation.NewEvaluator(nil)
	return sides{
		ours: measure.Op{Run: func(n int) error {
			for range n {
				if !ours.BoolVariation(ctx, key, who, false) {
					return errWrong
				}
			}
			return nil
		}},
		theirs: measure.Op{Run: func(n int) error {
			for range n {
				if value, err := theirs.BoolVariation(key, who, false); !value || err != nil {
					return errors.Join(errWrong, err)
				}
			}
			return nil
		}},
		bare: measure.Op{Run: func(n int) error {
			for range n {
				if !evaluator.Evaluate(model, who, nil).Detail.Value.BoolValue() {
					return errWrong
				}
			}
			return nil
		}},
	}
}

func allFlagsState() workload {
	return workload{
		name: "client/all-flags-state", title: "AllFlagsState, 1,000 flags", metric: measure.Time,
		goals: []measure.Goal{
			measure.AtMostTimes(measure.Time, 1.15, measure.Bare), measure.AtMostTimes(measure.Allocations, 1.0/10, measure.Theirs),
		},
		setup: func(b *bench) sides {
			flags := flagsOf(b.many(1000), ruleFlag)
			ours, theirs := clients(b, flags)
			ctx, who := b.ctx(), customer()
			return sides{
				ours: measure.Op{Run: func(n int) error {
					for range n {
						if state := ours.AllFlagsState(ctx, who); !state.Valid() {
							return errWrong
						}
					}
					return nil
				}},
				theirs: measure.Op{Run: func(n int) error {
					for range n {
						if state := theirs.AllFlagsState(who); !state.IsValid() {
							return errWrong
						}
					}
					return nil
				}},
				bare: measure.Op{Run: bareEvaluations(b, flags)},
			}
		},
	}
}

// bareEvaluations evaluates all flags once in each operation.
func bareEvaluations(b *bench, flags []flagJSON) func(n int) error {
	b.Helper()
	models := make([]*ldmodel.FeatureFlag, len(flags))
	for i, flag := range flags {
		models[i] = flag.model(b)
	}
	evaluator, who := evaluation.NewEvaluator(nil), customer()
	return func(n int) error {
		for range n {
			for _, model := range models {
				if !evaluator.Evaluate(model, who, nil).Detail.Value.BoolValue() {
					return errWrong
				}
			}
		}
		return nil
	}
}
