package config_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/config"
	"github.com/cleatdev/cleat/internal/secrettest"
)

// inYAML generates YAML in which the text is the value of a setting, in one of the ways in which it may be written.
func inYAML(name, text string) *rapid.Generator[string] {
	section, rest, found := strings.Cut(name, ".")
	indent := ""
	if found {
		section, indent, name = section+":\n", "  ", rest
	} else {
		section = ""
	}
	return rapid.Custom(func(t *rapid.T) string {
		form := rapid.SampledFrom([]string{"%s: %s", "%s: '%s'", "%s: %q", "%s:%s", "%s: [%s]", "%s: {x: %s}", "%s: |\n    %s", "%s: &a %s", "%s: !x %s",
			"%s: '%s", "%s:\n%s", "%s: *%s", "%s: %s\n? %[2]s\n: x"}).Draw(t, "form")
		return section + indent + fmt.Sprintf(form, name, text) + "\n"
	})
}

// places matches parameters that are printed.
var places = regexp.MustCompile(`(_file|_env|db|capacity|cache|consistency)=`)

// Whatever stands in a file or variable, neither an error nor the settings show a secret that is in a place of secrets, or
// where a URL should be.
func TestRead_AnySettings_ShowNoSecret(t *testing.T) {
	schemes := []string{"redis", "rediss+sentinel", "redis+cluster", "consul", "consuls", "dynamodb", "http", "https", "socks5"}
	names := []string{"sdk_key", "store", "big_segments.store", "endpoints.base", "endpoints.events", "http.proxy"}
	rapid.Check(t, func(t *rapid.T) {
		name, secret := rapid.SampledFrom(names).Draw(t, "name"), secrettest.Secret().Draw(t, "secret")
		if name != "sdk_key" {
			secret = secrettest.URL(schemes...).Draw(t, "url")
			if places.MatchString(secret) {
				t.Skip("what says where a secret is, or has nothing to do with one, is printed")
			}
		}
		file, environment := "", []string{}
		if rapid.Bool().Draw(t, "variable") {
			variable := "CLEAT_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
			environment = append(environment, variable+"="+secret)
		} else {
			file = inYAML(name, secret).Draw(t, "file")
		}
		if name != "sdk_key" {
			environment = append(environment, "CLEAT_SDK_KEY=k")
		}
		settings, err := config.Read("cleat.yaml", options(file, environment...))
		shown := secrettest.Chain(err)
		if err == nil {
			shown = append(shown, secrettest.Renderings(settings)...)
		}
		if text, word := secrettest.Found(shown...); word != "" {
			t.Fatalf("%s of %q shows %s in %q", name, secret, word, text)
		}
	})
}
