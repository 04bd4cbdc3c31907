package yamlversion_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/cleatdev/cleat/internal/yamlversion"
)

func TestAccepted_DirectiveAtTheHeadIsReplaced(t *testing.T) {
	for _, text := range []string{
		"%YAML 1.2\n---\na: 1\n",
		"%YAML 1.2\r\n---\r\na: 1\r\n",
		"\ufeff%YAML 1.2\n---\na: 1\n",
		"# x\n\n  # y\n%YAML \t1.2  # the newer one\n---\na: 1\n",
		"%TAG ! tag:example.com,2000:\n%YAML 1.2\n---\na: 1\n",
	} {
		var value map[string]int
		require.ErrorContains(t, yaml.Unmarshal([]byte(text), &value), "incompatible", "the package has learnt it: %q", text)
		given := []byte(text)
		require.NoError(t, yaml.Unmarshal(yamlversion.Accepted(given), &value), text)
		require.Equal(t, map[string]int{"a": 1}, value)
		require.Equal(t, text, string(given))
	}
}

func TestAccepted_OtherTextStays(t *testing.T) {
	for _, text := range []string{
		"", "a: 1\n", "%YAML 1.1\n---\na: 1\n", "%YAML 1.20\n---\n", "%YAML 2.0\n---\n", "a: |\n  %YAML 1.2\n", "---\n%YAML 1.2\n",
		"x%YAML 1.2\n", "%YAML 1.2",
	} {
		require.Equal(t, text, string(yamlversion.Accepted([]byte(text))))
	}
}
