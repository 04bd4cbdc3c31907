package ldbridge

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/internal/readmetest"
)

// What README.md says about the bridge can be installed and compiled.
func TestReadme_Bridge_Compiles(t *testing.T) {
	var install, statements string
	for _, block := range readmetest.Blocks(t, "..") {
		switch {
		case block.Language == "go" && strings.Contains(block.Text, "ldbridge."):
			statements = block.Text
		case strings.HasPrefix(block.Text, "go get ") && strings.Contains(block.Text, "/ldbridge\n"):
			install = block.Text
		}
	}
	require.NotEmpty(t, install)
	require.NotEmpty(t, statements)
	module := readmetest.NewModule(t, "..")
	module.Write(t, "app.go", `package app

import (
	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/ldbridge"
)

func configure(config *ld.Config) {
`+statements+`}
`)
	module.Run(t, readmetest.Init+install+"go mod tidy\ngo vet .")
}
