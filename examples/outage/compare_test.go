package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
)

func answerOf(flag string, version int, value ldvalue.Value) answer {
	return answer{
		Flag: flag, Subject: "ana", Version: version, Value: value,
		Variation: ldvalue.NewOptionalInt(0), Reason: ldreason.NewEvalReasonFallthrough(),
	}
}

// Whatever of an answer differs, it is a difference.
func TestCompare_EveryField(t *testing.T) {
	expected := answerOf("a", 1, ldvalue.Int(1))
	require.Empty(t, compare([]answer{expected}, []answer{expected}))
	for name, change := range map[string]func(*answer){
		"subject":   func(a *answer) { a.Subject = "ben" },
		"version":   func(a *answer) { a.Version = 2 },
		"value":     func(a *answer) { a.Value = ldvalue.Int(2) },
		"type":      func(a *answer) { a.Value = ldvalue.String("1") },
		"variation": func(a *answer) { a.Variation = ldvalue.OptionalInt{} },
		"reason":    func(a *answer) { a.Reason = ldreason.NewEvalReasonOff() },
	} {
		t.Run(name, func(t *testing.T) {
			got := expected
			change(&got)
			require.NotEmpty(t, compare([]answer{expected}, []answer{got}))
		})
	}
}

func TestCompare_MissingAndUnexpected(t *testing.T) {
	a, b := answerOf("a", 1, ldvalue.Int(1)), answerOf("b", 1, ldvalue.Int(1))
	require.Equal(t, []difference{{Expected: b}}, compare([]answer{a, b}, []answer{a}))
	require.Equal(t, []difference{{Got: b}}, compare([]answer{a}, []answer{a, b}))
}

// A store that is the one set or the other is right, a mixture of both is not.
func TestJudge_WholeSetsOnly(t *testing.T) {
	before := []answer{answerOf("a", 1, ldvalue.Int(1)), answerOf("b", 1, ldvalue.Int(1))}
	after := []answer{answerOf("a", 2, ldvalue.Int(2)), answerOf("b", 2, ldvalue.Int(2))}

	v, _ := judge(before, after, before)
	require.True(t, v.ok())
	require.False(t, v.updated)
	require.Equal(t, "OK: 2 flags evaluated, 2 served from the store with the source gone, 0 differences", v.String())

	v, _ = judge(before, after, after)
	require.True(t, v.ok())
	require.True(t, v.updated)

	v, differences := judge(before, after, []answer{before[0], after[1]})
	require.False(t, v.ok())
	require.Len(t, differences, 1)
	require.Equal(t, "FAILED: 2 flags evaluated, 2 served from the store with the source gone, 1 differences", v.String())
}

// A flag that fell back to the default is not served from the store, even if that is what was expected.
func TestJudge_DefaultsAreNotServed(t *testing.T) {
	missing := answerOf("b", 0, ldvalue.Bool(false))
	missing.Reason = ldreason.NewEvalReasonError(ldreason.EvalErrorFlagNotFound)
	answers := []answer{answerOf("a", 1, ldvalue.Int(1)), missing}
	v, _ := judge(answers, answers, answers)
	require.False(t, v.ok())
	require.Equal(t, "FAILED: 2 flags evaluated, 1 served from the store with the source gone, 0 differences", v.String())
}

func TestJudge_NothingEvaluated(t *testing.T) {
	v, _ := judge(nil, nil, nil)
	require.False(t, v.ok())
}

func TestPrintDifferences_Limit(t *testing.T) {
	var expected []answer
	for i := range 30 {
		expected = append(expected, answerOf(fmt.Sprintf("flag-%02d", i), 1, ldvalue.Int(i)))
	}
	var out bytes.Buffer
	printDifferences(&out, compare(expected, nil))
	require.Equal(t, 20, strings.Count(out.String(), "got      nothing"))
	require.Contains(t, out.String(), "… and 10 more")
}
