// Package readmetest runs the code blocks of README.md as a reader would: in a module of their own, in which this checkout
// stands for the published modules.
package readmetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Block is a code block of Markdown.
type Block struct {
	Language string // empty if the block names none
	Text     string // the lines between the fences
}

var fenced = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?\n)```$")

// Blocks returns the code blocks of README.md in the root of the checkout.
func Blocks(t testing.TB, root string) []Block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	matches := fenced.FindAllStringSubmatch(string(text), -1)
	blocks := make([]Block, 0, len(matches))
	for _, found := range matches {
		blocks = append(blocks, Block{Language: found[1], Text: found[2]})
	}
	return blocks
}

// Module is a module as a reader of README.md makes it, in a directory of its own. Make one with [NewModule].
type Module struct {
	Dir  string
	root string
}

// NewModule returns a module without any file. It is removed when the test ends.
func NewModule(t testing.TB, root string) *Module {
	t.Helper()
	absolute, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return &Module{Dir: t.TempDir(), root: absolute}
}

// Write writes a file, whose name is relative to the module.
func (m *Module) Write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(m.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Init is the command that makes a module.
const Init = "go mod init quickstart\n"

// Run runs the commands, one a line, and returns what they print. After [Init] it adds what makes the checkout stand for the
// published modules. All others come from the module cache, which has them if the tests of the importing module run.
func (m *Module) Run(t testing.TB, commands string) (stdout, stderr string) {
	t.Helper()
	replace := "go mod edit -replace 'github.com/cleatdev/cleat=" + m.root + "'" +
		" -replace 'github.com/cleatdev/cleat/ldbridge=" + m.root + "/ldbridge'\n"
	commands = strings.Replace(commands, Init, Init+replace, 1)
	return Run(t, m.Dir, commands, "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "GOSUMDB=off")
}

// Run runs the commands, one a line, in the directory, with the variables added to the environment, and returns what they
// print. If one fails, the test ends.
func Run(t testing.TB, directory, commands string, variables ...string) (stdout, stderr string) {
	t.Helper()
	var out, failure bytes.Buffer
	command := exec.CommandContext(t.Context(), "sh", "-ec", commands)
	command.Dir = directory
	command.Env = append(os.Environ(), variables...)
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		t.Fatalf("%v of\n%s%s", err, commands, failure.String())
	}
	return out.String(), failure.String()
}
