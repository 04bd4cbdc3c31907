package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// Widths of the table's columns, which together fit into 120 characters.
const (
	flagWidth = 34
	cellWidth = 12
	rowsShown = 25
)

// printTable prints a line for each flag and a column for each subject: all flags, or a selection spread over all areas.
func printTable(out io.Writer, subjects []subject, answers []answer, all bool) {
	headings := make([]string, 0, len(subjects))
	for _, s := range subjects {
		printf(out, "  %-*s  %s\n", cellWidth, s.Name, s.Description)
		headings = append(headings, s.Name)
	}
	printf(out, "\n")
	printRow(out, "flag", headings)
	printf(out, "  %s\n", strings.Repeat("─", flagWidth+len(subjects)*(cellWidth+2)))

	rows := slices.Collect(slices.Chunk(answers, len(subjects)))
	step, shown := max(1, len(rows)/rowsShown), min(len(rows), rowsShown)
	if all {
		step, shown = 1, len(rows)
	}
	for i := range shown {
		row := rows[i*step]
		cells := make([]string, 0, len(row))
		for _, a := range row {
			cells = append(cells, cell(a))
		}
		printRow(out, row[0].Flag, cells)
	}
	if shown < len(rows) {
		printf(out, "  … and %d more (all with -all)\n", len(rows)-shown)
	}
	printf(out, "\n  T target, R rule, F fallthrough, P prerequisite failed, O off, E error\n")
}

func printRow(out io.Writer, flag string, cells []string) {
	var line strings.Builder
	printf(&line, "  %-*s", flagWidth, cut(flag, flagWidth))
	for _, c := range cells {
		printf(&line, "  %-*s", cellWidth, cut(c, cellWidth))
	}
	printf(out, "%s\n", strings.TrimRight(line.String(), " "))
}

// cut returns as much of the text as fits into the width.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// cell returns the reason in one letter, and as much of the value as fits.
func cell(a answer) string {
	letters := map[ldreason.EvalReasonKind]string{
		ldreason.EvalReasonTargetMatch:        "T",
		ldreason.EvalReasonRuleMatch:          "R",
		ldreason.EvalReasonFallthrough:        "F",
		ldreason.EvalReasonPrerequisiteFailed: "P",
		ldreason.EvalReasonOff:                "O",
		ldreason.EvalReasonError:              "E",
	}
	return letters[a.Reason.GetKind()] + " " + display(a.Value)
}

// display returns a string as it is, and anything else as JSON with properties in alphabetical order.
func display(value ldvalue.Value) string {
	if value.IsString() {
		return value.StringValue()
	}
	sorted, err := json.Marshal(value.AsArbitraryValue())
	if err != nil {
		return err.Error()
	}
	return string(sorted)
}

// printCounts prints how many answers there are, and for what reasons.
func printCounts(out io.Writer, questions []question, subjects []subject, answers []answer) {
	types := map[string]int{}
	for _, q := range questions {
		types[string(q.Type)]++
	}
	reasons := map[string]int{}
	for _, a := range answers {
		reasons[string(a.Reason.GetKind())]++
	}
	printf(out, "  %d flags × %d contexts = %d evaluations\n", len(questions), len(subjects), len(answers))
	printf(out, "  types    %s\n", byCount(types))
	printf(out, "  reasons  %s\n", byCount(reasons))
}

// byCount returns names with their counts, the greatest first.
func byCount(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}
