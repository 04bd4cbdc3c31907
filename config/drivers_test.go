package config_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/cleatdev/cleat/"

// drivers are what the module of each database's driver begins with.
func drivers() map[string][]string {
	return map[string][]string{
		"redisstore":  {"github.com/redis/"},
		"consulstore": {"github.com/hashicorp/"},
		"dynamostore": {"github.com/aws/"},
		"sqlitestore": {"modernc.org/"},
		"memorystore": nil,
	}
}

// dependencies returns what a program links that imports the given packages.
func dependencies(t *testing.T, packages ...string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps"}, packages...)...)
	output, err := command.Output()
	require.NoError(t, err)
	return strings.Fields(string(output))
}

// linksDriver reports whether the driver of the adapter is among the packages.
func linksDriver(packages []string, adapter string) bool {
	for _, path := range packages {
		for _, driver := range drivers()[adapter] {
			if strings.HasPrefix(path, driver) {
				return true
			}
		}
	}
	return false
}

// A program pays for the driver of its own database and for no other.
func TestLoad_OneAdapter_LinksItsDriverAlone(t *testing.T) {
	for adapter := range drivers() {
		packages := dependencies(t, module+"config", module+adapter)
		require.Contains(t, packages, module+"backends", "config opens stores")
		for other, ofOther := range drivers() {
			if other == adapter {
				require.Contains(t, packages, module+other)
				require.Equal(t, ofOther != nil, linksDriver(packages, other), adapter)
				continue
			}
			require.NotContains(t, packages, module+other, adapter)
			require.False(t, linksDriver(packages, other), "%s links the driver of %s", adapter, other)
		}
	}
}

// Without a store there is no driver, and with all adapters there are all.
func TestLoad_NoAdapterAndAll_LinkNoneAndAll(t *testing.T) {
	none, all := dependencies(t, module+"config"), dependencies(t, module+"config", module+"backends/all")
	for adapter, ofAdapter := range drivers() {
		require.NotContains(t, none, module+adapter)
		require.False(t, linksDriver(none, adapter), adapter)
		require.Contains(t, all, module+adapter)
		require.Equal(t, ofAdapter != nil, linksDriver(all, adapter), adapter)
	}
}

// The example of a whole service has Redis alone.
func TestLoad_ExampleService_LinksRedisAlone(t *testing.T) {
	packages := dependencies(t, module+"examples/service")
	for adapter := range drivers() {
		require.Equal(t, adapter == "redisstore", linksDriver(packages, adapter), adapter)
	}
}
