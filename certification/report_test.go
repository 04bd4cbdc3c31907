package certification

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func someResult() *Result {
	return &Result{
		Name: "redis/SIGSTOP", Lasts: time.Second, Memory: Cell{Longest: 1},
		Cells: []Cell{
			{Generation: Second, Cache: "off", Longest: 7, Evaluations: 5, CallsWhileDown: 1},
			{Generation: Daemon, Cache: "off", Longest: time.Second, Unknown: 9, Evaluations: 5, Defaults: 3},
			{Generation: First, Cache: "1 s", Longest: 3, Visible: time.Second, Evaluations: 5},
		},
	}
}

// Defaults and times are those of clients that need no database.
func TestResult_Row_HasTheWorst(t *testing.T) {
	require.Equal(t, Row{
		Name: "redis/SIGSTOP", Lasts: time.Second, Known: 7, KnownInMemory: 1, Unknown: 9, Evaluations: 10, Visible: time.Second, Calls: 1,
		Clients: 3, Misses: []string{"first 1 s: an update was seen after 1s"},
	}, someResult().Row())
	leaks := Result{Goroutines: "one", Files: 2}
	require.Equal(t, []string{"left over: one", "2 open files are left over"}, leaks.Wrongs())
}

// What a run finds takes the place of what was found before, and the page has all of it.
func TestPart_Keep_AndDocument(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "new")
	first := Part{Kind: "redis", Date: "2026-01-02", Rows: []Row{someResult().Row(), {Name: "redis/OOM"}}}
	require.NoError(t, first.keep(directory, "abc"))
	second := Part{
		Kind: "redis", Date: "2026-01-03", Rows: []Row{{Name: "redis/SIGSTOP", Known: 1500 * time.Microsecond}},
		Figures: []Figure{{Name: "bytes", Value: "9 MB", Goal: "≤ 5 MB"}},
	}
	require.NoError(t, second.keep(directory, "def"))

	var page strings.Builder
	require.NoError(t, writeDocument(&page, directory))
	require.Contains(t, page.String(), "2 injections, 0 clients on trial, 0 goals missed")
	require.Contains(t, page.String(), "2026-01-03, commit abc and def.")
	require.Contains(t, page.String(), "| SIGSTOP | 0.0 s | 1.5 ms (0 ms; 0 ms) |")
	require.Contains(t, page.String(), "| OOM |")
	require.Contains(t, page.String(), "| bytes | 9 MB | ≤ 5 MB | **no** |")
	require.NotContains(t, page.String(), "Missed in")

	require.NoError(t, first.keep(directory, "abc"))
	page.Reset()
	require.NoError(t, writeDocument(&page, directory))
	require.Contains(t, page.String(), "Missed in *SIGSTOP*:\n\n- first 1 s: an update was seen after 1s")
}

func TestPart_Keep_BrokenFile_IsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redis.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	require.ErrorContains(t, (&Part{Kind: "redis"}).keep(filepath.Dir(path), "abc"), path)
	require.ErrorContains(t, writeDocument(&strings.Builder{}, filepath.Dir(path)), path)
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "{", string(left))
}
