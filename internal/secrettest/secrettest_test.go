package secrettest_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/internal/secrettest"
)

// What a test relies on: that a secret is found in whatever form it shows.
func TestFound_EveryForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secrettest.Secret().Draw(t, "secret")
		before := rapid.StringN(0, 5, 5).Draw(t, "before")
		for _, text := range []string{
			secret, strings.ToLower(secret), url.QueryEscape(secret), fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret),
			base64.StdEncoding.EncodeToString([]byte(before + ":" + secret)), secret[len(secret)/2:], fmt.Sprintf("%q", secret),
		} {
			_, word := secrettest.Found("harmless", text)
			require.NotEmpty(t, word, text)
		}
	})
	_, word := secrettest.Found("harmless", "", "redis://localhost")
	require.Empty(t, word)
}

func TestRenderings_ShowWhatIsNotHidden(t *testing.T) {
	shown := secrettest.Renderings(struct{ Password string }{secrettest.Secret().Example(1)})
	for _, text := range shown {
		_, word := secrettest.Found(text)
		require.NotEmpty(t, word, text)
	}
}
