package consulstore

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/internal/secrettest"
)

func TestOptions_Print_ShowsNoSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := secrettest.Secret().Draw(t, "secret")
		options := Options{Token: secret, Prefix: "app", Address: "http://u:" + secret + "@127.0.0.1:1"}
		text, word := secrettest.Found(secrettest.Renderings(options)...)
		require.Empty(t, word, text)
		require.Contains(t, options.String(), "Prefix:app")
		_, err := Open(t.Context(), &options)
		text, word = secrettest.Found(secrettest.Chain(err)...)
		require.Empty(t, word, text)
		options.Address = "127.0.0.1:1"
		store, err := Open(t.Context(), &options)
		require.NoError(t, err)
		_, err = store.Initialized(t.Context())
		text, word = secrettest.Found(append(secrettest.Chain(err), secrettest.Renderings(store)...)...)
		require.Empty(t, word, text)
		require.NoError(t, store.Close())
	})
}
