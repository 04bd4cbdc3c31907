package all_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/redisstore"
)

func TestRegistry_Redis_EveryTopology(t *testing.T) {
	t.Setenv("CLEAT_TEST_SECRET", "s3cr3t")
	for url, want := range map[string]core.FeatureStoreCore{
		"redis+cluster://127.0.0.1:1":                                                             &redisstore.Store{},
		"redis+cluster://u:p@127.0.0.1:1,[::1]:2,localhost/?prefix=":                              &redisstore.Store{},
		"redis+cluster://127.0.0.1:1,127.0.0.1:2?prefix={app}&pool_size=3":                        &redisstore.Store{},
		"rediss+cluster://127.0.0.1:1?cache=off&conn_max_lifetime=1h&tls_server_name=x":           &redisstore.Store{},
		"redis+sentinel://u@127.0.0.1:1,127.0.0.1/my/2?password_env=CLEAT_TEST_SECRET":            &redisstore.Store{},
		"redis+sentinel://[::1]:1,127.0.0.1/my?sentinel_username=s&sentinel_password=x&db=1":      &redisstore.Store{},
		"REDISS+SENTINEL://127.0.0.1:1/my?prefix=a,b&sentinel_password_env=CLEAT_TEST_SECRET":     &redisstore.Store{},
		"rediss+sentinel://u:p@127.0.0.1:1,127.0.0.2:1/my/0?watch=off&read_timeout=1s&capacity=3": &redisstore.Store{},
	} {
		require.IsType(t, want, open(t, url).Store, url)
		segments, err := all.Registry().OpenBigSegments(t.Context(), url)
		require.NoError(t, err, url)
		require.NoError(t, segments.Store.Close())
	}
}

func TestRegistry_Redis_BadURLs_AreRefusedWithAdvice(t *testing.T) {
	for url, want := range map[string]string{
		"redis+cluster://h?db=1": "parameter db: it is unknown; known are ca_file, cache, capacity, cert_file, client_name, " +
			"conn_max_lifetime, dial_timeout, init_timeout, key_file,",
		"redis+cluster://h/1":                                                  "a Redis Cluster has no numbered databases",
		"redis+cluster://h?sentinel_username=x":                                "parameter sentinel_username: it is unknown",
		"redis+cluster://h1,,h2":                                               "has a host that cannot be read",
		"redis+cluster://h1,h2:port":                                           "has a host that cannot be read",
		"redis://h?tls_server_name=redis.example.com":                          "parameter tls_server_name: TLS needs a rediss:// URL",
		"redis+cluster://h?ca_file=/no/such/file":                              "no such file",
		"redis+sentinel://h1,h2":                                               "by which name the Sentinels know the primary",
		"redis+sentinel://h/my/x":                                              "the name of a primary and a database number",
		"redis+sentinel://h/my?master=x":                                       "sentinel_password, sentinel_password_env, sentinel_password_file, sentinel_username",
		"redis+sentinel://h/my?pool_size=many":                                 "unusable value for the parameter pool_size",
		"redis+sentinel://h/my/1?db=2":                                         "parameter db: the path names a database too",
		"redis+sentinel://h/my?sentinel_password_env=":                         "parameter sentinel_password_env: it is empty",
		"redis+sentinel://h/my?sentinel_password_file=/no":                     "parameter sentinel_password_file: the file cannot be read",
		"redis+sentinel://h/my?sentinel_password=x&sentinel_password_env=HOME": "a file or variable says the same",
		"redis://h1:1,h2:2":                                                    "begin it with redis+sentinel:// or redis+cluster://",
		"redis+ring://h":                                                       "unknown scheme",
		"redis://h?master_name=my":                                             "parameter master_name: it is unknown",
	} {
		b, err := all.Registry().Open(t.Context(), url)
		require.ErrorIs(t, err, core.ErrInvalid, url)
		require.ErrorContains(t, err, want, url)
		require.Nil(t, b.Store, url)
	}
}

func TestRegistry_Redis_SecretsNeverAppearInErrors(t *testing.T) {
	const secret = "s3cr3t"
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
	for _, url := range []string{
		"redis+sentinel://u:" + secret + "@127.0.0.1:1,127.0.0.1:2/my?sentinel_password=" + secret,
		"redis+sentinel://u@127.0.0.1:1/my?sentinel_password_file=" + file + "&password_file=" + file,
		"redis+cluster://:" + secret + "@127.0.0.1:1,127.0.0.1:2",
		"redis+cluster://u@127.0.0.1:1?password_file=" + file,
	} {
		_, err := open(t, url).Store.Initialized(t.Context())
		require.ErrorIs(t, err, core.ErrUnavailable, url)
		require.NotContains(t, err.Error(), secret, url)
		_, err = all.Registry().Open(t.Context(), strings.Replace(url, "127.0.0.1:1", "127.0.0.1:port", 1))
		require.ErrorIs(t, err, core.ErrInvalid, url)
		require.NotContains(t, err.Error(), secret, url)
	}
}
