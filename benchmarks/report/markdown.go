package report

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"text/template"

	"github.com/cleatdev/cleat/benchmarks/measure"
)

//go:embed document.md.tmpl
var document string

// WriteMarkdown writes the document, which shows the chart that is in the file of the given name.
func (r *Report) WriteMarkdown(w io.Writer, chart string) error {
	functions := template.FuncMap{"row": tableRow, "spread": spread, "got": got, "headings": headings}
	parsed, err := template.New("document").Funcs(functions).Parse(document)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return parsed.Execute(w, struct {
		*Report
		Chart string
	}{r, chart})
}

func headings() string {
	return "| " + strings.Join(columns[:], " | ") + " |\n|" + strings.Repeat("---|", len(columns))
}

func tableRow(r Row) string {
	cells := r.cells()
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return "| " + strings.Join(cells[:], " | ") + " |"
}

// got says what was measured for each goal.
func got(r Row) string {
	verdicts := r.Verdicts()
	texts := make([]string, 0, len(verdicts))
	for _, verdict := range verdicts {
		texts = append(texts, verdict.Got)
	}
	return strings.Join(texts, "; ")
}

// spread says between which values the ratio was in the rounds; empty if it is not known.
func spread(r Row) string {
	least, most, known := r.Comparison.Spread(r.Metric, measure.Ours, measure.Theirs)
	if !known || r.Metric == measure.Growth {
		return "–"
	}
	return significant(least) + " to " + significant(most)
}
