// Package report presents what package measure measured: as a table on a terminal, as a Markdown document, and as a chart.
package report
