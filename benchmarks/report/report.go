package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/cleatdev/cleat/benchmarks/measure"
)

// Report is what one run measured.
type Report struct {
	Facts []Fact
	Rows  []Row
}

// Fact is something that the figures depend on.
type Fact struct{ Name, Value string }

// Row is one workload.
type Row struct {
	// Name is what the workload is chosen by, such as wrapper/get-ttl.
	Name string
	// Title describes it.
	Title string
	// Metric is what the sides are compared by.
	Metric measure.Metric
	// Comparison is what was measured.
	Comparison *measure.Comparison
	// Goals are what it should show; there may be none.
	Goals []measure.Goal
	// Note is what a reader has to know, such as why a goal is not met.
	Note string
	// Details is Markdown with more figures.
	Details string
}

// Verdicts returns whether the goals are met.
func (r *Row) Verdicts() (verdicts []measure.Verdict) {
	for _, goal := range r.Goals {
		verdicts = append(verdicts, goal.Check(r.Comparison))
	}
	return verdicts
}

// Met reports whether all goals are met.
func (r *Row) Met() bool {
	for _, verdict := range r.Verdicts() {
		if !verdict.Met {
			return false
		}
	}
	return true
}

// Missed returns the rows that do not meet all goals.
func (r *Report) Missed() (missed []Row) {
	for i := range r.Rows {
		if !r.Rows[i].Met() {
			missed = append(missed, r.Rows[i])
		}
	}
	return missed
}

// columns are the headings of the table.
var columns = [...]string{
	"workload", "ours", "theirs", "bare", "ours / theirs", "goal", "met?", "allocations", "bytes", "requests",
}

// cells returns the row under the columns.
func (r *Row) cells() [len(columns)]string {
	return [...]string{
		r.Title, r.figure(measure.Ours), r.figure(measure.Theirs), r.figure(measure.Bare), r.ratio(),
		r.goals(), r.met(),
		r.pair(measure.Allocations), r.pair(measure.Bytes), r.pair(measure.Requests),
	}
}

// figure returns the median of one side.
func (r *Row) figure(side measure.Side) string {
	value, known := r.Comparison.Median(side, r.Metric)
	if !known {
		return "–"
	}
	return format(r.Metric, value)
}

func (r *Row) ratio() string {
	ratio, known := r.Comparison.Ratio(r.Metric, measure.Ours, measure.Theirs)
	if !known || r.Metric == measure.Growth { // exponents have no ratio that means anything
		return "–"
	}
	return significant(ratio)
}

func (r *Row) goals() string {
	if len(r.Goals) == 0 {
		return "–"
	}
	texts := make([]string, 0, len(r.Goals))
	for _, goal := range r.Goals {
		texts = append(texts, goal.Text)
	}
	return strings.Join(texts, "; ")
}

// met says yes, or what was measured where a goal is not met.
func (r *Row) met() string {
	if len(r.Goals) == 0 {
		return "–"
	}
	var missed []string
	for _, verdict := range r.Verdicts() {
		if !verdict.Met {
			missed = append(missed, verdict.Got)
		}
	}
	if len(missed) == 0 {
		return "yes"
	}
	return "no: " + strings.Join(missed, "; ")
}

// pair returns ours and theirs of a metric.
func (r *Row) pair(metric measure.Metric) string {
	var texts []string
	known := false
	for _, side := range []measure.Side{measure.Ours, measure.Theirs} {
		value, found := r.Comparison.Median(side, metric)
		if !found {
			texts = append(texts, "–")
			continue
		}
		known = true
		texts = append(texts, format(metric, value))
	}
	if !known {
		return "–"
	}
	return strings.Join(texts, " : ")
}

// format writes a value with its unit.
func format(metric measure.Metric, value float64) string {
	switch metric {
	case measure.Time, measure.Percentile:
		return duration(value)
	case measure.Bytes, measure.Heap:
		return size(value)
	case measure.Rate:
		return count(value) + "/s"
	case measure.Growth:
		return fmt.Sprintf("n^%.2f", value)
	default:
		return count(value)
	}
}

func duration(nanoseconds float64) string {
	switch {
	case nanoseconds < 1e3:
		return significant(nanoseconds) + " ns"
	case nanoseconds < 1e6:
		return significant(nanoseconds/1e3) + " µs"
	case nanoseconds < 1e9:
		return significant(nanoseconds/1e6) + " ms"
	default:
		return significant(nanoseconds/float64(time.Second)) + " s"
	}
}

func size(bytes float64) string {
	switch {
	case bytes < 1e3:
		return significant(bytes) + " B"
	case bytes < 1e6:
		return significant(bytes/1e3) + " KB"
	default:
		return significant(bytes/1e6) + " MB"
	}
}

// count writes a number with separators between thousands.
func count(value float64) string {
	if value < 1000 {
		return significant(value)
	}
	digits := fmt.Sprintf("%.0f", value)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// significant writes a number with about three digits, and no exponent.
func significant(value float64) string {
	var text string
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		text = fmt.Sprintf("%.1f", value)
	case value >= 0.01:
		text = fmt.Sprintf("%.2f", value)
	default:
		text = fmt.Sprintf("%.4f", value)
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
