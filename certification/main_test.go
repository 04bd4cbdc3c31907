package certification

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/conformance/containers"
)

// given are the arguments of this run.
var given struct {
	certify, write bool
	only           *regexp.Regexp
	out            string
}

func TestMain(m *testing.M) {
	flag.BoolVar(&given.certify, "certify", false, "make all injections and measure everything")
	flag.BoolVar(&given.write, "write", false, "keep what is found, and write the page")
	flag.StringVar(&given.out, "out", filepath.Join("..", "docs"), "the `directory` of the page")
	only := flag.String("only", "", "only what has a name that matches this regular `expression`")
	flag.Parse()
	var err error
	if given.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, "certification: -only:", err)
		os.Exit(2)
	}
	toxics.Register("flaky", new(flaky))
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log whatever the proxy's logger says
	os.Exit(containers.Run(m))
}

// asked reports whether something with that name is to be done.
func asked(name string) bool { return given.certify && given.only.MatchString(name) }

// keep keeps a part, if that was asked for.
func keep(t *testing.T, p Part) {
	t.Helper()
	if !given.write {
		return
	}
	commit, err := exec.CommandContext(context.WithoutCancel(t.Context()), "git", "describe", "--always", "--dirty= with changes").Output()
	require.NoError(t, err)
	p.Date = time.Now().UTC().Format(time.DateOnly)
	require.NoError(t, p.keep(filepath.Join(given.out, "certification"), strings.TrimSpace(string(commit))))
}

// TestDocument writes the page of everything that was kept.
func TestDocument(t *testing.T) {
	var page strings.Builder
	require.NoError(t, writeDocument(&page, filepath.Join(given.out, "certification")))
	if given.write {
		require.NoError(t, os.WriteFile(filepath.Join(given.out, "certification.md"), []byte(page.String()), 0o644))
	}
}

func allInjections() []injection {
	return slices.Concat(redisInjections(), failoverInjections(), consulInjections(), dynamoInjections(), sqliteInjections())
}
