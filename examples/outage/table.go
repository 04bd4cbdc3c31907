package main

import (
	"encoding/json"
	"fmt"
	"io"
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
	for _, s := range subjects {
		printf(out, "  %-*s  %s\n", cellWidth, s.name, s.description)
	}
	printf(out, "\n")
	headings := make([]string, 0, len(subjects))
	for _, s := range subjects {
		headings = append(headings, s.name)
	}
	printRow(out, "flag", headings)
	printf(out, "  %s\n", strings.Repeat("─", flagWidth+len(subjects)*(cellWidth+2)))

	rows := slices.Collect(slices.Chunk(answers, len(subjects)))
	step := 1
	if !all && len(rows) > rowsShown {
		step = len(rows) / rowsShown
	}
	shown := 0
	for i := 0; i < len(rows) && (all || shown < rowsShown); i += step {
		cells := make([]string, 0, len(rows[i]))
		for _, a := range rows[i] {
			cells = append(cells, cell(a))
		}
		printRow(out, rows[i][0].Flag, cells)
		shown++
	}
	if shown < len(rows) {
		printf(out, "  … and %d more (all with -all)\n", len(rows)-shown)
	}
	printf(out, "\n  T target, R rule, F fallthrough, P prerequisite failed, O off, E error\n")
}

func printRow(out io.Writer, flag string, cells []string) {
	var line strings.Builder
	line.WriteString("  " + fit(flag, flagWidth))
	for _, c := range cells {
		line.WriteString("  " + fit(c, cellWidth))
	}
	printf(out, "%s\n", strings.TrimRight(line.String(), " "))
}

// cell returns the reason in one letter, and as much of the value as fits.
func cell(a answer) string {
	letters := map[ldreason.EvalReasonKind]string{
		ldreason.EvalReasonTargetMatch:        "T",
		ldreason.EvalReasonRuleMatch:          "R",
		ldreason.EvalReasonFallthrough:        "F",
		ldreason.EvalReasonPrerequisiteFailed: "P",
		ldreason.EvalReasonOff:                "O",
	}
	letter, found := letters[a.Reason.GetKind()]
	if !found {
		letter = "E"
	}
	return letter + " " + display(a.Value)
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

// fit cuts or pads text to exactly the width.
func fit(text string, width int) string {
	if n := utf8.RuneCountInString(text); n <= width {
		return text + strings.Repeat(" ", width-n)
	}
	return string([]rune(text)[:width-1]) + "…"
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
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}
