package all_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/internal/secrettest"
)

// Whatever a URL looks like, neither opening the store, nor using it while the database is away, nor the log shows a secret
// of the URL or of the environment.
func TestRegistry_AnyURL_ShowsNoSecret(t *testing.T) {
	t.Chdir(t.TempDir()) // for SQLite files, which may come to be
	for name, value := range map[string]string{
		"AWS_REGION": "local", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "id",
		"AWS_SECRET_ACCESS_KEY": secrettest.Secret().Example(1), "AWS_SESSION_TOKEN": secrettest.Secret().Example(2),
		"AWS_CONFIG_FILE": "none", "AWS_SHARED_CREDENTIALS_FILE": "none", "AWS_EC2_METADATA_DISABLED": "true",
		"CONSUL_HTTP_TOKEN": "qZxkWvbTj", "CLEAT_TEST_SECRET": "hMfrGpdYc",
	} {
		t.Setenv(name, value)
	}
	var log secrettest.Log
	before := slog.Default()
	slog.SetDefault(log.Logger())
	defer slog.SetDefault(before)
	rapid.Check(t, func(t *rapid.T) {
		text := secrettest.URL(all.Registry().Schemes()...).Draw(t, "url")
		if strings.HasPrefix(text, "sqlite:///") {
			t.Skip("the path of a file is no secret")
		}
		if strings.Contains(text, "://") && !strings.Contains(text, "#") && !strings.Contains(text, "?") && rapid.Bool().Draw(t, "env") {
			text += "?password_env=CLEAT_TEST_SECRET"
		}
		shown, _ := tryURL(t.Context(), t, text)
		if text, word := secrettest.Found(append(shown, log.Take())...); word != "" {
			t.Fatalf("%q shows %s", text, word)
		}
	})
	for _, text := range []string{
		"redis://u:qZxkWvbTj@127.0.0.1:1", "redis+sentinel://u:qZxkWvbTj@127.0.0.1:1/m?sentinel_password=hMfrGpdYc",
		"redis+cluster://127.0.0.1:1?password_env=CLEAT_TEST_SECRET", "consul://127.0.0.1:1?token_env=CLEAT_TEST_SECRET",
		"consuls://127.0.0.1:1", "dynamodb://table", "memory://",
	} {
		shown, opened := tryURL(t.Context(), t, text)
		require.True(t, opened, text)
		text, word := secrettest.Found(append(shown, log.Take())...)
		require.Empty(t, word, text)
	}
}

// tryURL opens and uses the stores of a URL, and returns everything that is said about it.
func tryURL(ctx context.Context, t require.TestingT, text string) (shown []string, opened bool) {
	b, err := all.Registry().Open(ctx, text)
	shown = secrettest.Chain(err)
	if opened = err == nil; opened {
		_, err = b.Store.Initialized(ctx)
		shown = append(shown, secrettest.Chain(err)...)
		shown = append(shown, append(secrettest.Renderings(b), secrettest.Renderings(b.Store)...)...)
		require.NoError(t, b.Store.Close())
	}
	segments, err := all.Registry().OpenBigSegments(ctx, text)
	shown = append(shown, secrettest.Chain(err)...)
	if err == nil {
		_, err = segments.Store.Metadata(ctx)
		shown = append(shown, secrettest.Chain(err)...)
		require.NoError(t, segments.Store.Close())
	}
	return shown, opened
}

// A file of a secret that cannot be used is not named either, in case it is the secret.
func TestRegistry_FilesOfSecrets_AreNotShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hMfrGpdYc")
	require.NoError(t, os.WriteFile(file, []byte("qZxkWvbTj\x00\n"), 0o600))
	for _, text := range []string{
		"redis://127.0.0.1:1?password_file=" + file, "consul://127.0.0.1:1?token_file=" + file,
		"redis+sentinel://127.0.0.1:1/m?sentinel_password_file=" + file, "rediss://127.0.0.1:1?ca_file=" + file,
		"consuls://127.0.0.1:1?cert_file=" + file + "&key_file=" + file, "consul://127.0.0.1:1?token_file=" + file + "/x",
	} {
		var shown []string
		b, err := all.Registry().Open(t.Context(), text)
		if err == nil {
			_, err = b.Store.Initialized(t.Context())
			require.NoError(t, b.Store.Close())
		}
		require.Error(t, err)
		shown = append(shown, err.Error())
		text, word := secrettest.Found(shown...)
		require.Empty(t, word, text)
	}
}
