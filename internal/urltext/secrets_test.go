package urltext_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/internal/secrettest"
	"github.com/cleatdev/cleat/internal/urltext"
)

func TestParse_AnyURL_ShowsNoSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := secrettest.URL("redis", "rediss+sentinel", "redis+cluster", "consuls", "dynamodb", "sqlite", "memory").Draw(t, "url")
		u, err := urltext.Parse(text)
		shown := secrettest.Chain(err)
		if err == nil && !strings.HasPrefix(text, "qZ") && !strings.HasPrefix(urltext.Show(u), "sqlite:///") { // an unknown scheme is not shown, and a path of a file is no secret
			shown = append(shown, urltext.Show(u))
		}
		if text, word := secrettest.Found(shown...); word != "" {
			t.Fatalf("%q shows %s", text, word)
		}
	})
}
