package benchmarks

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"

	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/benchmarks/report"
)

// The names of the files that are written, in the directory of -out.
const (
	documentFile = "benchmarks.md"
	chartFile    = "benchmarks.svg"
)

// arguments are those of the command line.
type arguments struct {
	measure, write, quick bool
	run, out, profile     string
	rounds                int
	pattern               *regexp.Regexp // what run says
}

// TestMain parses the arguments, because flags of a package may not be registered before those of package testing are.
func TestMain(m *testing.M) {
	given.register(flag.CommandLine)
	flag.Parse()
	if err := given.validate(); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(2)
	}
	os.Exit(containers.Run(m))
}

// given are the arguments of this run.
var given arguments

func (a *arguments) register(flags *flag.FlagSet) {
	flags.BoolVar(&a.measure, "measure", false, "measure and print the table")
	flags.BoolVar(&a.write, "write", false, "write the document and the chart")
	flags.BoolVar(&a.quick, "quick", false, "see whether everything works; the figures mean nothing")
	flags.StringVar(&a.run, "run", "", "measure only workloads whose names match this regular `expression`")
	flags.StringVar(&a.out, "out", filepath.Join("..", "docs"), "the `directory` for -write")
	flags.StringVar(&a.profile, "profile", "", "write CPU profiles of our side to this `directory`")
	flags.IntVar(&a.rounds, "rounds", measure.DefaultRounds, "how often all sides are measured; at least 5")
}

func (a *arguments) validate() (err error) {
	const fewest = 5
	switch {
	case a.rounds < fewest && !a.quick:
		return fmt.Errorf("-rounds must be at least %d", fewest)
	case a.write && (a.quick || a.run != ""):
		return errors.New("-write is for figures that mean something, of all workloads: without -quick and -run")
	}
	if a.pattern, err = regexp.Compile(a.run); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	return nil
}

func (a *arguments) options() measure.Options {
	if a.quick {
		return quickOptions()
	}
	return measure.Options{Rounds: a.rounds}
}

func quickOptions() measure.Options { return measure.Options{Rounds: 1, SampleTime: time.Millisecond} }

// TestMeasure is the program of this module; see the package documentation.
func TestMeasure(t *testing.T) {
	if !given.measure {
		t.Skip("measuring takes minutes and is done with -args -measure only")
	}
	result := &report.Report{Facts: facts(t.Context())}
	var missing []string
	for _, w := range chosen(given.pattern) {
		begin := time.Now()
		row := w.run(t, given.options(), given.quick, given.profile)
		if row == nil {
			missing = append(missing, w.name)
			fmt.Fprintf(os.Stderr, "%-24s not measured\n", w.name)
			continue
		}
		result.Rows = append(result.Rows, *row)
		fmt.Fprintf(os.Stderr, "%-24s %5.1f s\n", w.name, time.Since(begin).Seconds())
	}
	fmt.Println()
	if given.quick {
		fmt.Println("Quickly: these figures mean nothing.")
	}
	require.NoError(t, result.WriteTable(os.Stdout))
	if len(missing) > 0 {
		fmt.Println("Not measured:", missing)
	}
	if given.write {
		require.Empty(t, missing, "nothing is written, because not everything was measured")
		require.NoError(t, write(result, given.out))
	}
}

func facts(ctx context.Context) []report.Fact {
	modules := []string{
		"github.com/launchdarkly/go-server-sdk/v7",
		"github.com/launchdarkly/go-server-sdk-redis-redigo/v3",
		"github.com/launchdarkly/go-server-sdk-dynamodb/v4",
		"github.com/launchdarkly/go-server-sdk-consul/v3",
		"github.com/launchdarkly/go-server-sdk-evaluation/v3",
		"github.com/redis/go-redis/v9",
		"github.com/aws/aws-sdk-go-v2/service/dynamodb",
		"github.com/hashicorp/consul/api",
	}
	return append(report.Machine(ctx, time.Now(), modules...),
		report.Fact{Name: "cleat", Value: report.Commit(ctx)},
		report.Fact{Name: "rounds", Value: strconv.Itoa(given.rounds)},
		report.Fact{Name: "command", Value: "`go test -C benchmarks -run '^TestMeasure$' -timeout 60m -args -measure -write`"})
}

func write(r *report.Report, directory string) error {
	var document, chart bytes.Buffer
	err := errors.Join(r.WriteMarkdown(&document, chartFile), r.WriteChart(&chart), os.MkdirAll(directory, 0o755))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(directory, chartFile), chart.Bytes(), 0o644),
		os.WriteFile(filepath.Join(directory, documentFile), document.Bytes(), 0o644))
}

func TestWorkloads_AreToldApart(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads() {
		require.Regexp(t, `^[a-z]+(/[a-z0-9-]+)?$`, w.name)
		require.NotEmpty(t, w.title)
		require.NotEmpty(t, w.metric)
		require.NotEqual(t, w.setup == nil, w.measure == nil, w.name)
		require.False(t, seen[w.name] || seen[w.title], w.name)
		seen[w.name], seen[w.title] = true, true
	}
}

func TestArguments_Validate(t *testing.T) {
	for _, tc := range []struct {
		arguments []string
		want      string
	}{
		{nil, ""},
		{[]string{"-measure", "-run", "redis/", "-rounds", "5"}, ""},
		{[]string{"-quick", "-rounds", "1"}, ""},
		{[]string{"-measure", "-write", "-rounds", "9"}, ""},
		{[]string{"-rounds", "4"}, "-rounds must be at least 5"},
		{[]string{"-write", "-quick"}, "-write is for"},
		{[]string{"-write", "-run", "redis"}, "-write is for"},
		{[]string{"-run", "("}, "-run: "},
	} {
		var a arguments
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		a.register(flags)
		require.NoError(t, flags.Parse(tc.arguments))
		err := a.validate()
		if tc.want == "" {
			require.NoError(t, err, tc.arguments)
			continue
		}
		require.ErrorContains(t, err, tc.want, tc.arguments)
	}
}

func TestWrite(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "new")
	row := (&workload{name: "x", title: "y", metric: measure.Time, setup: func(*bench) sides {
		return sides{ours: measure.Op{N: 1, Run: func(int) error { return nil }}}
	}}).run(t, quickOptions(), true, "")
	require.NoError(t, write(&report.Report{Facts: facts(t.Context()), Rows: []report.Row{*row}}, directory))
	for _, name := range []string{documentFile, chartFile} {
		require.FileExists(t, filepath.Join(directory, name))
	}
}
