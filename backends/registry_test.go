package backends_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/consulstore"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/redisstore"
	"github.com/cleatdev/cleat/sqlitestore"
	"github.com/cleatdev/cleat/storeurl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, url string) backends.Backend {
	t.Helper()
	b, err := all.Registry().Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Store.Close()) })
	return b
}

func TestRegistry_Open_MakesTheStoreOfTheScheme(t *testing.T) {
	file := "sqlite://" + filepath.Join(t.TempDir(), "flags.db")
	require.IsType(t, &memorystore.Store{}, open(t, "memory://?prefix=p").Store)
	require.IsType(t, &sqlitestore.Store{}, open(t, file+"?busy_timeout=1s&prefix=a/b").Store)
	require.IsType(t, &sqlitestore.Store{}, open(t, file+"?read_only=on").Store)
	require.IsType(t, &redisstore.Store{}, open(t, "redis://user@127.0.0.1:1/2?pool_size=3&prefix=").Store)
	require.IsType(t, &redisstore.Store{}, open(t, "REDISS://127.0.0.1:1").Store)
	require.IsType(t, &consulstore.Store{}, open(t, "consul://127.0.0.1:1?prefix=a&datacenter=dc1&consistency=stale").Store)
	require.IsType(t, &consulstore.Store{}, open(t, "consuls://127.0.0.1:1?token_env=HOME").Store)
	require.IsType(t, &dynamostore.Store{}, open(t, "dynamodb://flags?region=eu-central-1&consistency=eventual").Store)
}

func TestRegistry_OpenBigSegments_MakesTheStoreOfTheScheme(t *testing.T) {
	for url, want := range map[string]core.BigSegmentStore{
		"memory://": &memorystore.BigSegments{},
		"sqlite://" + filepath.Join(t.TempDir(), "flags.db") + "?cache=off": &sqlitestore.BigSegments{},
		"redis://127.0.0.1:1":           &redisstore.BigSegments{},
		"consul://127.0.0.1:1":          &consulstore.BigSegments{},
		"dynamodb://flags?region=local": &dynamostore.BigSegments{},
	} {
		backend, err := all.Registry().OpenBigSegments(t.Context(), url)
		require.NoError(t, err)
		require.IsType(t, want, backend.Store)
		require.Implements(t, (*core.BigSegmentWriter)(nil), backend.Store)
		require.Zero(t, backend.QueryTimeout)
		require.NoError(t, backend.Store.Close())
	}
}

func TestRegistry_Open_ReadsTheCacheParameters(t *testing.T) {
	for parameters, want := range map[string]caching.Options{
		"":               {},
		"?cache=off":     {Mode: caching.Off()},
		"?cache=forever": {Mode: caching.Forever()},
		"?cache=30s":     {Mode: caching.TTL(30 * time.Second)},
		"?capacity=7&max_stale=1h&watch=off&read_timeout=1s&read_all_timeout=4s&write_timeout=2s&init_timeout=3s": {
			Capacity: 7, MaxStale: time.Hour, DisableWatch: true,
			ReadTimeout: time.Second, ReadAllTimeout: 4 * time.Second, WriteTimeout: 2 * time.Second, InitTimeout: 3 * time.Second,
		},
	} {
		require.Equal(t, want, open(t, "memory://"+parameters).Cache, parameters)
	}
}

func TestRegistry_Open_PrefixReachesTheStore(t *testing.T) {
	file := "sqlite://" + filepath.Join(t.TempDir(), "flags.db")
	require.NoError(t, open(t, file+"?prefix=a").Store.Init(t.Context(), nil))
	for prefix, want := range map[string]bool{"a": true, "b": false, "": false} {
		initialized, err := open(t, file+"?prefix="+prefix).Store.Initialized(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, initialized, prefix)
	}
}

func TestRegistry_Open_BadURLs_AreRefusedWithAdvice(t *testing.T) {
	t.Setenv("CLEAT_TEST_EMPTY", "")
	dir := t.TempDir()
	noCertificate := filepath.Join(dir, "empty.pem")
	require.NoError(t, os.WriteFile(noCertificate, nil, 0o600))
	for url, want := range map[string]string{
		"":                                              "the URL has no scheme",
		"/var/lib/flags.db":                             "the URL has no scheme",
		"mysql://x":                                     `unknown scheme (it is not shown, because it may be part of a password); known are consul, consuls, dynamodb, memory, redis, redis+cluster, redis+sentinel, rediss, rediss+cluster, rediss+sentinel, sqlite`,
		"memory://host":                                 "memory:// has neither host nor path",
		"memory://?cash=off":                            "parameter cash: it is unknown; known are cache, capacity, init_timeout, max_stale, prefix",
		"memory://?pool_size=3":                         "parameter pool_size: it is unknown",
		"memory://?cache=never":                         `parameter cache: it is neither off, forever nor a duration`,
		"memory://?cache=-3s":                           `parameter cache: it is neither`,
		"memory://?cache=":                              `parameter cache: it is neither`,
		"memory://?capacity=-1":                         `parameter capacity: it is no number of 0 or more`,
		"memory://?watch=perhaps":                       `parameter watch: it is neither on nor off`,
		"memory://?max_stale=3":                         `parameter max_stale: it is no duration such as 500ms`,
		"memory://?a=1;b=2":                             "the parameters of the URL are malformed",
		"memory://?prefix=a&prefix=b":                   "parameter prefix: it is given 2 times",
		"sqlite://flags.db":                             "begins after three slashes",
		"sqlite://" + dir:                               "opening sqlite://" + dir,
		"sqlite:///x?read_only=1":                       "it is neither on nor off",
		"redis://h?ca_file=" + noCertificate:            "TLS needs a rediss:// URL",
		"rediss://h?ca_file=" + noCertificate:           "holds no certificate in PEM form",
		"rediss://h?ca_file=/no/such/file":              "no such file",
		"rediss://h?cert_file=" + noCertificate:         "cert_file and key_file belong together",
		"redis://h?password_file=/no/such/file":         "parameter password_file: the file cannot be read: no such file",
		"redis://h?password_env=CLEAT_NO_SUCH_VARIABLE": "parameter password_env: the environment variable that it names is not set",
		"redis://h?password_file=/x&password_env=HOME":  "password_file says the same; keep one of them",
		"redis://h?password_file=":                      "parameter password_file: it is empty; say where the secret is",
		"redis://h?password_env=":                       "parameter password_env: it is empty",
		"redis://h?password_file=" + noCertificate:      "parameter password_file: what it names is empty; put the secret there",
		"redis://h?password_env=CLEAT_TEST_EMPTY":       "parameter password_env: what it names is empty",
		"redis://u:pw@h?password_env=HOME":              "the URL has a password before its host, and another in a file or variable",
		"redis://h/1?db=2":                              "parameter db: the path names a database too; keep one of them",
		"consul://h?token_file=/x&token_env=HOME":       "parameter token_env: token_file says the same; keep one of them",
		"consul://h?token_file=":                        "parameter token_file: it is empty",
		"consul://h?token_env=":                         "parameter token_env: it is empty",
		"consul://h?token_env=CLEAT_TEST_EMPTY":         "parameter token_env: what it names is empty",
		"memory://?cache=off&capacity=5":                "parameter capacity: it has no effect beside cache=off",
		"memory://?cache=off&max_stale=3s":              "parameter max_stale: it has no effect beside cache=off",
		"consul://u@h":                                  "neither user nor path",
		"consul://h?token=x":                            "parameter token: it is unknown",
		"consul://h?consistency=never":                  "neither default, consistent nor stale",
		"consul://h?ca_file=/no/file":                   "TLS needs a consuls:// URL",
		"consuls://":                                    "needs a host",
		"dynamodb://":                                   "names the table",
		"dynamodb://t/path":                             "names the table",
		"dynamodb://t?consistency=none":                 "neither strong nor eventual",
		"redis://h?pool_size=many":                      "opening redis://h",
	} {
		b, err := all.Registry().Open(t.Context(), url)
		require.ErrorContains(t, err, want, url)
		require.Nil(t, b.Store, url)
	}
	_, err := all.Registry().Open(nil, "memory://")
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestRegistry_Open_SecretsNeverAppearInErrors(t *testing.T) {
	const secret = "s3cr3t"
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
	t.Setenv("CLEAT_TEST_SECRET", secret)
	for _, url := range []string{
		"redis://user:" + secret + "@host:port", // no port
		"redis://user:" + secret + "%zz@host",
		"redis://user:" + secret + "@host?pool_size=many",
		"redis://user:" + secret + "@host?token=" + secret,
		"mysql://user:" + secret + "@host",
		"redis://host?pool_size=many&password_file=" + file,
		"redis://host?pool_size=many&password_env=CLEAT_TEST_SECRET",
		"redis://:" + secret + "@127.0.0.1:1?capacity=x",
		"redis://user:12/" + secret + "@host",
		"redis://user:12?" + secret + "@host",
		"redis://user:12#" + secret + "@host",
		"redis+cluster://user:1,2/" + secret + "@one,two",
		"redis://host?" + secret + "$=1",
		secret + "://host?x=1&x=2",
		secret + "://host?x=1;y=2",
		"redis:///:" + secret + "@host",
		"consuls:///" + secret,
		"dynamodb:///" + secret,
	} {
		_, err := all.Registry().Open(t.Context(), url)
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), secret)
	}
}

func TestRegistry_Open_OwnScheme(t *testing.T) {
	failure := errors.New("no such shard")
	sharded := storeurl.Scheme{
		Name:       "Sharded",
		Parameters: []string{"shard"},
		OpenStore: func(_ context.Context, u *storeurl.URL) (core.FeatureStoreCore, error) {
			shard := u.Int("shard")
			if err := u.Check(); err != nil {
				return nil, err
			}
			if shard > 9 {
				return nil, failure
			}
			return memorystore.New(nil, &memorystore.Options{Prefix: u.Text("prefix")}), nil
		},
	}
	registry := all.Registry([]storeurl.Scheme{sharded})
	require.Contains(t, registry.Schemes(), "sharded")
	require.Len(t, registry.Schemes(), len(backends.New().Schemes())+1)
	b, err := registry.Open(t.Context(), "sharded://x?shard=3&cache=off")
	require.NoError(t, err)
	require.NoError(t, b.Store.Close())
	_, err = registry.Open(t.Context(), "sharded://x?shard=10")
	require.ErrorIs(t, err, failure)
	_, err = registry.Open(t.Context(), "sharded://x?shard=many")
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = registry.OpenBigSegments(t.Context(), "sharded://x")
	require.ErrorContains(t, err, "no store for big segments")
	_, err = all.Registry().Open(t.Context(), "sharded://x")
	require.ErrorIs(t, err, core.ErrInvalid, "a registry is not global")
}

// Of two schemes with one name, the last counts: an application can put its own in place of ours.
func TestRegistry_Open_OwnSchemeInPlaceOfOurs(t *testing.T) {
	ours := []storeurl.Scheme{{
		Name: "redis",
		OpenStore: func(context.Context, *storeurl.URL) (core.FeatureStoreCore, error) {
			return memorystore.New(nil, nil), nil
		},
	}}
	b, err := all.Registry(ours).Open(t.Context(), "redis://h")
	require.NoError(t, err)
	require.IsType(t, &memorystore.Store{}, b.Store)
	require.NoError(t, b.Store.Close())
}

// A scheme of ours that is not registered is refused with what is missing, and the rest of the URL is not shown.
func TestRegistry_Open_AdapterIsNotRegistered_NamesTheImport(t *testing.T) {
	registry := backends.New(memorystore.Schemes())
	for text, want := range map[string]string{
		"redis://u:s3cr3t@h?prefix=s3cr3t": "redis:// needs github.com/cleatdev/cleat/redisstore: add redisstore.Schemes() to the registry",
		"REDISS+SENTINEL://s3cr3t/m":       "rediss+sentinel:// needs github.com/cleatdev/cleat/redisstore: ",
		"consuls://s3cr3t":                 "consuls:// needs github.com/cleatdev/cleat/consulstore: ",
		"dynamodb://s3cr3t":                "dynamodb:// needs github.com/cleatdev/cleat/dynamostore: ",
		"sqlite:///s3cr3t":                 "sqlite:// needs github.com/cleatdev/cleat/sqlitestore: ",
	} {
		_, err := registry.Open(t.Context(), text)
		require.ErrorIs(t, err, core.ErrInvalid, text)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "or use backends/all")
		require.NotContains(t, err.Error(), "s3cr3t")
		_, err = registry.OpenBigSegments(t.Context(), text)
		require.ErrorContains(t, err, want)
	}
	_, err := backends.New().Open(t.Context(), "memory://")
	require.ErrorContains(t, err, "memory:// needs github.com/cleatdev/cleat/memorystore")
}

// The registry knows which adapter each scheme belongs to, without importing any.
func TestRegistry_Schemes_AreThoseOfAllAdapters(t *testing.T) {
	var names []string
	for adapter, schemes := range map[string][]storeurl.Scheme{
		"consulstore": consulstore.Schemes(), "dynamostore": dynamostore.Schemes(), "memorystore": memorystore.Schemes(),
		"redisstore": redisstore.Schemes(), "sqlitestore": sqlitestore.Schemes(),
	} {
		for _, scheme := range schemes {
			names = append(names, scheme.Name)
			_, err := backends.New().Open(t.Context(), scheme.Name+"://")
			require.ErrorContains(t, err, scheme.Name+":// needs github.com/cleatdev/cleat/"+adapter+": ")
		}
	}
	require.ElementsMatch(t, names, backends.New().Schemes())
	require.ElementsMatch(t, names, all.Registry().Schemes())
}

func TestRegistry_OpenBigSegments_ReadTimeout(t *testing.T) {
	backend, err := all.Registry().OpenBigSegments(t.Context(), "memory://?read_timeout=3s")
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, backend.QueryTimeout)
	require.NoError(t, backend.Store.Close())
	_, err = all.Registry().OpenBigSegments(t.Context(), "memory://?read_timeout=soon")
	require.ErrorIs(t, err, core.ErrInvalid)
}
