package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"unicode/utf8"

	"github.com/cleatdev/cleat/benchmarks/measure"
)

//go:embed chart.svg.tmpl
var chartTemplate string

// The chart's measures in pixels.
const (
	chartLetter = 6.3 // width of a letter of a title, as most fonts have it
	chartScale  = 420 // width of the part with the bars
	chartMargin = 80  // right of it, for the figures
	chartTop    = 56
	chartLine   = 24 // height of a row
	chartBar    = 14 // height of a bar
)

type chart struct {
	Width, Height, Top, Bottom int
	One                        int // where the ratio is 1
	Ticks                      []tick
	Bars                       []bar
}

type tick struct {
	X     int
	Label string
}

type bar struct {
	Title, Label     string
	Y, TextY         int
	X, Width, LabelX int
	Height           int
	Better           bool
}

// WriteChart writes an SVG image with a bar for each workload of which theirs was measured: how our figure compares, on a
// logarithmic scale, where a bar to the left means that ours is smaller.
func (r *Report) WriteChart(w io.Writer) error {
	parsed, err := template.New("chart").Parse(chartTemplate)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return parsed.Execute(w, r.chart())
}

func (r *Report) chart() chart {
	rows, ratios := r.compared()
	least, most := decades(ratios)
	titles := titleWidth(rows)
	position := func(ratio float64) int {
		return titles + int(math.Round(chartScale*(math.Log10(ratio)-least)/(most-least)))
	}
	c := chart{
		Width: titles + chartScale + chartMargin, Height: chartTop + chartLine*len(rows) + 16,
		Top: chartTop - 8, Bottom: chartTop + chartLine*len(rows), One: position(1),
	}
	for exponent := least; exponent <= most; exponent++ {
		value := math.Pow(10, exponent)
		c.Ticks = append(c.Ticks, tick{position(value), significantOrSmaller(value)})
	}
	for i, row := range rows {
		x := position(math.Max(ratios[i], math.Pow(10, least)))
		y := chartTop + i*chartLine
		c.Bars = append(c.Bars, bar{
			Title: row.Title, Label: significantOrSmaller(ratios[i]) + " ×", Better: ratios[i] <= 1,
			Y: y, TextY: y + chartBar - 3, Height: chartBar,
			X: min(x, c.One), Width: max(1, max(x, c.One)-min(x, c.One)), LabelX: max(x, c.One) + 6,
		})
	}
	return c
}

// titleWidth returns how wide the longest title is, with some space around it.
func titleWidth(rows []Row) int {
	longest := 0
	for i := range rows {
		longest = max(longest, utf8.RuneCountInString(rows[i].Title))
	}
	return 24 + int(chartLetter*float64(longest))
}

// compared returns the rows that have a bar, and the ratios: what we need relative to what they need. Where more is better,
// it is the other way round.
func (r *Report) compared() (rows []Row, ratios []float64) {
	for i := range r.Rows {
		row := r.Rows[i]
		of, to := measure.Ours, measure.Theirs
		if row.Metric == measure.Rate {
			of, to = to, of
		}
		if row.Metric == measure.Growth {
			continue // exponents have no ratio that means anything
		}
		if ratio, known := row.Comparison.Ratio(row.Metric, of, to); known && !math.IsInf(ratio, 0) {
			rows, ratios = append(rows, row), append(ratios, ratio)
		}
	}
	return rows, ratios
}

// decades returns the exponents of ten between which the ratios lie, 0.1 and 10 included. Ratios below a ten-thousandth
// have bars as if they were one.
func decades(ratios []float64) (least, most float64) {
	least, most = -1, 1
	for _, ratio := range ratios {
		exponent := math.Log10(math.Max(ratio, 1e-4))
		least, most = math.Min(least, math.Floor(exponent)), math.Max(most, math.Ceil(exponent))
	}
	return least, most
}

func significantOrSmaller(value float64) string {
	if value > 0 && value < 0.01 {
		return fmt.Sprintf("%.1g", value)
	}
	return significant(value)
}
