package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/benchmarks/measure"
)

func comparison(ours, theirs, bare measure.Sample) *measure.Comparison {
	c := &measure.Comparison{}
	round := measure.Round{}
	for side, sample := range map[measure.Side]measure.Sample{measure.Ours: ours, measure.Theirs: theirs, measure.Bare: bare} {
		if sample != nil {
			round[side] = sample
		}
	}
	c.Add(round)
	return c
}

func example() *Report {
	return &Report{
		Facts: []Fact{{"Go", "go1.99"}},
		Rows: []Row{
			{
				Name: "wrapper/get", Title: "wrapper, cached Get", Metric: measure.Time,
				Comparison: comparison(
					measure.Sample{measure.Time: 20, measure.Allocations: 0, measure.Bytes: 0},
					measure.Sample{measure.Time: 150, measure.Allocations: 1, measure.Bytes: 48}, nil),
				Goals: []measure.Goal{
					measure.AtMostTimes(measure.Time, 1.0/6, measure.Theirs), measure.AtMost(measure.Allocations, 0),
				},
			},
			{
				Name: "redis/upsert", Title: "Upsert of <2 KB>", Metric: measure.Time,
				Comparison: comparison(
					measure.Sample{measure.Time: 61_500, measure.Requests: 1},
					measure.Sample{measure.Time: 1_530_000, measure.Requests: 3}, measure.Sample{measure.Time: 30_000}),
				Goals: []measure.Goal{measure.AtMostTimes(measure.Time, 1.6, measure.Bare), measure.AtMost(measure.Requests, 1)},
				Note:  "Why it is not met.", Details: "| more |\n|---|",
			},
			{
				Name: "rate", Title: "evaluations", Metric: measure.Rate,
				Comparison: comparison(measure.Sample{measure.Rate: 4_000_000}, measure.Sample{measure.Rate: 1_000_000}, nil),
			},
			{
				Name: "growth", Title: "growth", Metric: measure.Growth,
				Comparison: comparison(measure.Sample{measure.Growth: 0.1}, measure.Sample{measure.Growth: 1}, nil),
			},
		},
	}
}

func TestReport_WriteTable(t *testing.T) {
	var text strings.Builder
	require.NoError(t, example().WriteTable(&text))
	lines := strings.Split(text.String(), "\n")
	fields := func(i int) string { return strings.Join(strings.Fields(lines[i]), " ") }
	require.Equal(t, "workload ours theirs bare ours / theirs goal met? allocations bytes requests", fields(0))
	require.Equal(t, "wrapper, cached Get 20 ns 150 ns – 0.13 time ≤ 1/6 of theirs; allocations ≤ 0 yes 0 : 1 0 B : 48 B –", fields(1))
	require.Equal(t, "Upsert of <2 KB> 61.5 µs 1.53 ms 30 µs 0.04 time ≤ 1.6 × bare; requests ≤ 1 no: 2.05 × bare – – 1 : 3", fields(2))
	require.Equal(t, "evaluations 4,000,000/s 1,000,000/s – 4 – – – – –", fields(3))
	require.Equal(t, "growth n^0.10 n^1.00 – – – – – – –", fields(4))
	require.Contains(t, text.String(), "3 of 4 workloads meet their goals.")
}

func TestReport_WriteMarkdown(t *testing.T) {
	var text strings.Builder
	require.NoError(t, example().WriteMarkdown(&text, "chart.svg"))
	for _, want := range []string{
		"![ours relative to theirs](chart.svg)\n\n| workload | ours |",
		"|---|---|---|---|---|---|---|---|---|---|\n| wrapper, cached Get | 20 ns | 150 ns |",
		"| Go | go1.99 |\n",
		"| Upsert of <2 KB> | 2.05 × bare; requests 1 | 0.04 to 0.04 |\n",
		"## Upsert of <2 KB>\n\nWhy it is not met.\n\n| more |\n|---|\n",
	} {
		require.Contains(t, text.String(), want)
	}
	require.NotContains(t, text.String(), "## wrapper, cached Get", "there is nothing more to say")
}

func TestReport_WriteChart(t *testing.T) {
	var text strings.Builder
	require.NoError(t, example().WriteChart(&text))
	for decoder := xml.NewDecoder(strings.NewReader(text.String())); ; {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Contains(t, text.String(), "Upsert of &lt;2 KB&gt;")
	require.Equal(t, 3, strings.Count(text.String(), `fill="#1a7f37"`), "a bar for each but the exponents")

	c := example().chart()
	require.Equal(t, []string{"0.01", "0.1", "1", "10"}, []string{c.Ticks[0].Label, c.Ticks[1].Label, c.Ticks[2].Label, c.Ticks[3].Label})
	require.Equal(t, c.Ticks[2].X, c.One)
	for _, b := range c.Bars {
		require.Equal(t, c.One, b.X+b.Width, "better is to the left of 1")
	}
	require.Greater(t, c.Bars[1].Width, c.Bars[0].Width)
	require.Equal(t, "0.25 ×", c.Bars[2].Label, "of a rate, more is better")
}

func TestReport_WriteChart_WorseIsToTheRight(t *testing.T) {
	r := &Report{Rows: []Row{{Metric: measure.Time, Comparison: comparison(
		measure.Sample{measure.Time: 300}, measure.Sample{measure.Time: 100}, nil)}}}
	c := r.chart()
	require.Equal(t, c.One, c.Bars[0].X)
	require.False(t, c.Bars[0].Better)
	var text strings.Builder
	require.NoError(t, r.WriteChart(&text))
	require.Contains(t, text.String(), `fill="#bc4c00"`)
	require.NoError(t, new(Report).WriteChart(io.Discard))
}

func TestFormat(t *testing.T) {
	for _, tc := range []struct {
		metric measure.Metric
		value  float64
		want   string
	}{
		{measure.Time, 17.94, "17.9 ns"},
		{measure.Time, 1234, "1.23 µs"},
		{measure.Time, 515_000, "515 µs"},
		{measure.Time, 4.3e9, "4.3 s"},
		{measure.Percentile, 48_000_000, "48 ms"},
		{measure.Bytes, 999, "999 B"},
		{measure.Heap, 19_600, "19.6 KB"},
		{measure.Bytes, 83e6, "83 MB"},
		{measure.Allocations, 126_000, "126,000"},
		{measure.Allocations, 4034, "4,034"},
		{measure.Requests, 1, "1"},
		{measure.Requests, 0.5, "0.5"},
		{measure.Speedup, 1.94, "1.94"},
		{measure.Rate, 1_234_567, "1,234,567/s"},
	} {
		require.Equal(t, tc.want, format(tc.metric, tc.value))
	}
	require.Equal(t, "0.0034", significant(0.00341))
	require.Equal(t, "100", significant(100))
}

func TestMachine(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	facts := Machine(t.Context(), now, "github.com/stretchr/testify")
	require.Equal(t, Fact{"date", "2026-01-02"}, facts[0])
	require.Regexp(t, `^v\d+\.\d+\.\d+$`, facts[len(facts)-1].Value)
	unknown := Machine(t.Context(), now, "example.com/unknown")
	require.Equal(t, Fact{"example.com/unknown", "unknown"}, unknown[len(unknown)-1])
	for _, fact := range facts {
		require.NotEmpty(t, fact.Value, fact.Name)
	}
	require.Equal(t, "Fast 9000 @ 3 GHz", cpuName([]byte("processor\t: 0\nmodel name\t: Fast 9000 @ 3 GHz\nmodel\t: 1\n")))
	require.Empty(t, cpuName(nil))
	require.NotEmpty(t, Commit(t.Context()))
}
