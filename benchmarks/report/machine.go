package report

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Machine returns what is known of the machine and of this process: processor, Go, and the versions of the given modules,
// all of which the module of the current directory has to depend on.
func Machine(ctx context.Context, now time.Time, modules ...string) []Fact {
	facts := make([]Fact, 0, 5+len(modules))
	facts = append(facts,
		Fact{"date", now.UTC().Format(time.DateOnly)},
		Fact{"processor", processor()},
		Fact{"cores", strconv.Itoa(runtime.NumCPU())},
		Fact{"system", runtime.GOOS + "/" + runtime.GOARCH},
		Fact{"Go", runtime.Version()})
	versions := moduleVersions(ctx, modules)
	for _, module := range modules {
		facts = append(facts, Fact{module, orUnknown(versions[module])})
	}
	return facts
}

// Commit returns what the working copy in the current directory is at.
func Commit(ctx context.Context) string {
	output, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty=, with changes").Output()
	if err != nil {
		return "unknown"
	}
	return orUnknown(strings.TrimSpace(string(output)))
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

// processor returns the processor's name where the system tells it in the way of Linux.
func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	return orUnknown(cpuName(data))
}

func cpuName(cpuinfo []byte) string {
	for lines := bufio.NewScanner(bytes.NewReader(cpuinfo)); lines.Scan(); {
		if name, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// moduleVersions asks the go command for the versions of the modules in the module of the current directory: the binary of a
// test does not know them.
func moduleVersions(ctx context.Context, modules []string) map[string]string {
	versions := map[string]string{}
	arguments := slices.Concat([]string{"list", "-m", "-f", "{{.Path}} {{.Version}}"}, modules)
	output, err := exec.CommandContext(ctx, "go", arguments...).Output()
	if err != nil {
		return versions
	}
	for line := range strings.Lines(string(output)) {
		if module, version, found := strings.Cut(strings.TrimSpace(line), " "); found {
			versions[module] = version
		}
	}
	return versions
}
