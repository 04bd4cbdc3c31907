package dynamostore

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/internal/secrettest"
)

func TestOptions_Print_ShowsNoSecret(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options := secretOptions(secrettest.Secret().Draw(t, "secret"))
		text, word := secrettest.Found(secrettest.Renderings(options)...)
		require.Empty(t, word, text)
		require.Contains(t, options.String(), "Prefix:app")
		_, err := Open(t.Context(), "table", &options)
		require.Error(t, err)
		text, word = secrettest.Found(secrettest.Chain(err)...)
		require.Empty(t, word, text)
	})
}

func TestStore_PrintAndErrors_ShowNoSecret(t *testing.T) {
	isolate(t)
	options := secretOptions(secrettest.Secret().Example(1))
	options.Endpoint = "http://127.0.0.1:1"
	store, err := Open(t.Context(), "table", &options)
	require.NoError(t, err)
	_, err = store.Initialized(t.Context())
	require.Error(t, err)
	text, word := secrettest.Found(append(secrettest.Chain(err), secrettest.Renderings(store)...)...)
	require.Empty(t, word, text)
	require.NoError(t, store.Close())
}

// secretOptions have the secret as credentials, and in an endpoint that is therefore refused.
func secretOptions(secret string) Options {
	return Options{
		Prefix: "app", Region: region, Endpoint: "http://u:" + secret + "@127.0.0.1:1",
		Credentials: credentials.StaticCredentialsProvider{Value: aws.Credentials{
			AccessKeyID: "id", SecretAccessKey: secret, SessionToken: secret,
		}},
	}
}
