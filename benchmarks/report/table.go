package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the rows as a table for a terminal, and below it what was measured for each goal.
func (r *Report) WriteTable(w io.Writer) error {
	lines := make([]string, 0, 1+len(r.Rows))
	lines = append(lines, strings.Join(columns[:], "\t"))
	for i := range r.Rows {
		cells := r.Rows[i].cells()
		lines = append(lines, strings.Join(cells[:], "\t"))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	missed := r.Missed()
	_, err := fmt.Fprintf(w, "\n%d of %d workloads meet their goals.\n", len(r.Rows)-len(missed), len(r.Rows))
	return err
}
