package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"
)

func tableAnswers(t *testing.T) []answer {
	t.Helper()
	file, err := parseFlagFile(committedFlags)
	require.NoError(t, err)
	var answers []answer
	for _, q := range file.questions() {
		for _, s := range subjects() {
			answers = append(answers, answer{
				Flag: q.Key, Subject: s.Name, Version: 1, Reason: ldreason.NewEvalReasonFallthrough(),
				Value: ldvalue.String("a value that is too long to be shown — ünïcödé"),
			})
		}
	}
	return answers
}

func TestPrintTable_FitsIn120Columns(t *testing.T) {
	var out bytes.Buffer
	printTable(&out, subjects(), tableAnswers(t), true)
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 120, line)
	}
}

func TestPrintTable_SelectionAndAll(t *testing.T) {
	answers := tableAnswers(t)
	var selection, all bytes.Buffer
	printTable(&selection, subjects(), answers, false)
	printTable(&all, subjects(), answers, true)
	require.Equal(t, rowsShown, strings.Count(selection.String(), "F a value"+" t…")/len(subjects()))
	require.Contains(t, selection.String(), "more (all with -all)")
	require.Equal(t, len(answers), strings.Count(all.String(), "F a value"+" t…"))
	require.NotContains(t, all.String(), "more (all with -all)")
}

func TestCell_Reasons(t *testing.T) {
	for letter, reason := range map[string]ldreason.EvaluationReason{
		"T": ldreason.NewEvalReasonTargetMatch(),
		"R": ldreason.NewEvalReasonRuleMatch(0, "id"),
		"F": ldreason.NewEvalReasonFallthrough(),
		"P": ldreason.NewEvalReasonPrerequisiteFailed("other"),
		"O": ldreason.NewEvalReasonOff(),
		"E": ldreason.NewEvalReasonError(ldreason.EvalErrorFlagNotFound),
	} {
		require.Equal(t, letter+" true", cell(answer{Value: ldvalue.Bool(true), Reason: reason}))
	}
	require.Equal(t, "F text", cell(answer{Value: ldvalue.String("text"), Reason: ldreason.NewEvalReasonFallthrough()}))
}
