package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/readmetest"
)

// root is the directory of README.md.
const root = "../.."

// readmeBlocks are the code blocks of README.md, each with what it shows.
type readmeBlocks struct {
	install                               string
	flags, program, start, printed        string // the quick start
	reader, startReader, printedByReader  string // a program without a data source
	service, configured                   string // a statement each
	makeRun, lastLineOfMakeRun, makeTests string
	installBridge, bridge                 string // run by the tests of ldbridge
}

// readme returns the blocks. One that is added or removed fails the test until it is run.
func readme(t *testing.T) readmeBlocks {
	t.Helper()
	var b readmeBlocks
	expected := []struct {
		language string
		text     *string
	}{
		{"", &b.install},
		{"yaml", &b.flags},
		{"go", &b.program},
		{"", &b.start},
		{"", &b.printed},
		{"go", &b.reader},
		{"", &b.startReader},
		{"", &b.printedByReader},
		{"go", &b.service},
		{"go", &b.configured},
		{"", &b.makeRun},
		{"", &b.lastLineOfMakeRun},
		{"", &b.makeTests},
		{"", &b.installBridge},
		{"go", &b.bridge},
	}
	found := readmetest.Blocks(t, root)
	require.Len(t, found, len(expected), "blocks of README.md")
	for i, block := range found {
		require.Equal(t, expected[i].language, block.Language, block.Text)
		*expected[i].text = block.Text
	}
	return b
}

// README.md shows this program and its flag file as they are.
func TestReadme_ShowsTheProgram(t *testing.T) {
	blocks := readme(t)
	for name, text := range map[string]string{"main.go": blocks.program, "flags.yaml": blocks.flags} {
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, string(file), text, name)
	}
}

func TestReadme_Install_Works(t *testing.T) {
	module := readmetest.NewModule(t, root)
	module.Run(t, readmetest.Init+readme(t).install)
	got, err := os.ReadFile(filepath.Join(module.Dir, "go.mod"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^\s*(require )?github\.com/cleatdev/cleat v`, string(got))
}

// The quick start prints what README.md says, with the flag file and without it, and so does the program without a data
// source after it.
func TestReadme_QuickStart_PrintsWhatItSays(t *testing.T) {
	blocks, module := readme(t), readmetest.NewModule(t, root)
	module.Write(t, "flags.yaml", blocks.flags)
	module.Write(t, "main.go", blocks.program)
	stdout, _ := module.Run(t, blocks.start)
	require.Equal(t, blocks.printed, stdout)

	require.NoError(t, os.Remove(filepath.Join(module.Dir, "flags.yaml")))
	stdout, stderr := module.Run(t, "go run .")
	require.Equal(t, blocks.printed, stdout)
	require.Contains(t, stderr, "WARN cleat: starting without data from the data source")

	module.Write(t, "reader/main.go", blocks.reader)
	stdout, _ = module.Run(t, blocks.startReader)
	require.Equal(t, blocks.printedByReader, stdout)
}

func TestReadme_FlagService_Compiles(t *testing.T) {
	blocks, module := readme(t), readmetest.NewModule(t, root)
	module.Write(t, "service.go", `package service

import (
	"context"
	"os"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
)

func connect(ctx context.Context, store core.FeatureStoreCore) (*cleat.Client, error) {
	`+blocks.service+`
	return client, err
}
`)
	module.Run(t, readmetest.Init+"go mod tidy\ngo vet .")
}

// Without a configuration file that names a store, the program needs no server.
func TestReadme_Configuration_IsLoaded(t *testing.T) {
	blocks, module := readme(t), readmetest.NewModule(t, root)
	module.Write(t, "cleat.yaml", "mode: daemon\nstore: memory://\n")
	module.Write(t, "main.go", `package main

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/config"
)

func main() {
	ctx := context.Background()
	`+blocks.configured+`
	fmt.Println(cfg.Daemon, err)
}
`)
	stdout, _ := module.Run(t, readmetest.Init+"go mod tidy\ngo run .")
	require.Equal(t, "true <nil>\n", stdout)
}

// The main job ends with the line that README.md shows. The tests, of which this is one, are only looked for.
func TestReadme_TwoCommands_Exist(t *testing.T) {
	blocks := readme(t)
	makeIn := func(commands string) string {
		stdout, _ := readmetest.Run(t, root, commands, "MAKEFLAGS=", "MAKELEVEL=") // make may have started this test
		return stdout
	}
	require.True(t, strings.HasSuffix(makeIn(blocks.makeRun), "\n"+blocks.lastLineOfMakeRun))
	require.Equal(t, "make test\n", blocks.makeTests)
	require.Contains(t, makeIn("make --dry-run test"), "scripts/test.sh")
}
