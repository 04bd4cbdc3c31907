package config_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/config"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/mockservice"
	"github.com/cleatdev/cleat/internal/secrettest"
	"github.com/cleatdev/cleat/internal/tlstest"
	"github.com/cleatdev/cleat/memorystore"
	"github.com/cleatdev/cleat/storeurl"
)

// load loads a configuration whose stores are closed with the test.
func load(t *testing.T, opts *config.Options) cleat.Config {
	t.Helper()
	cfg, err := config.Load(t.Context(), "cleat.yaml", opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if cfg.Store != nil {
			require.NoError(t, cfg.Store.Close())
		}
		if cfg.BigSegmentStore != nil {
			require.NoError(t, cfg.BigSegmentStore.Close())
		}
	})
	return cfg
}

func TestLoad_EverySetting_ReachesTheConfig(t *testing.T) {
	authorities := tlstest.NewAuthority(t).File(t)
	opts := options(everything, "CLEAT_STORE=memory://?cache=forever", "CLEAT_HTTP_CA_FILE="+authorities)
	opts.Logger = slog.New(slog.DiscardHandler)
	cfg := load(t, opts)
	require.Equal(t, "k", cfg.SDKKey)
	require.False(t, cfg.Offline)
	require.False(t, cfg.Daemon)
	require.Equal(t, core.ServiceEndpoints{Streaming: "http://s", Polling: "http://p", Events: "http://e"}, cfg.Endpoints)
	require.NotNil(t, cfg.DataSource)
	require.IsType(t, &memorystore.Store{}, cfg.Store)
	require.Equal(t, caching.Options{Mode: caching.Forever()}, cfg.Cache)
	require.Equal(t, core.DataStoreModeReadOnly, cfg.StoreMode)
	require.IsType(t, &memorystore.BigSegments{}, cfg.BigSegmentStore)
	require.Equal(t, bigsegments.Options{
		CacheSize: 1, CacheBytes: 9, CacheTime: 2 * time.Second, StaleAfter: 3 * time.Second, StatusPollInterval: 4 * time.Second,
		QueryTimeout: 5 * time.Second, ServeStaleFor: 6 * time.Second,
	}, cfg.BigSegments)
	require.NotNil(t, cfg.Events)
	require.Equal(t, cleat.HTTPOptions{ProxyURL: "socks5://p:1", CAFile: authorities, ConnectTimeout: time.Second}, cfg.HTTP)
	require.Equal(t, cleat.Application{ID: "app", Version: "1.10"}, cfg.Application)
	require.Equal(t, 10*time.Second, cfg.StartWait)
	require.Same(t, opts.Logger, cfg.Logger)
}

func TestLoad_EndpointsBase_StandsForThoseThatAreNotGiven(t *testing.T) {
	cfg := load(t, options("sdk_key: k\nendpoints: {base: 'http://relay', events: 'http://e'}"))
	require.Equal(t, core.ServiceEndpoints{Streaming: "http://relay", Polling: "http://relay", Events: "http://e"}, cfg.Endpoints)
	require.Zero(t, load(t, options("sdk_key: k")).Endpoints)
}

func TestLoad_SDKKey_ComesFromWhereItIs(t *testing.T) {
	readFile := func(content string, err error) *config.Options {
		opts := options("", "CLEAT_SDK_KEY_FILE=/key", "MY_KEY= k2 ")
		inner := opts.ReadFile
		opts.ReadFile = func(name string) ([]byte, error) {
			if name == "/key" {
				return []byte(content), err
			}
			return inner(name)
		}
		return opts
	}
	require.Equal(t, "k1", load(t, readFile("k1\r\n", nil)).SDKKey)
	require.Equal(t, "k2", load(t, options("sdk_key_env: MY_KEY", "MY_KEY=k1", "MY_KEY= k2\n")).SDKKey)

	failure := errors.New("broken")
	_, err := config.Load(t.Context(), "cleat.yaml", readFile("", failure))
	require.ErrorIs(t, err, failure)
	require.ErrorContains(t, err, "config: CLEAT_SDK_KEY_FILE: sdk_key_file: the file cannot be read: broken")
	_, err = config.Load(t.Context(), "cleat.yaml", readFile(" \n", nil))
	require.ErrorContains(t, err, "config: CLEAT_SDK_KEY_FILE: sdk_key_file: what it names is empty or does not exist")
	for _, content := range []string{"a\nb", "\ufeffsdk-1", `"sdk-1"`} {
		_, err = config.Load(t.Context(), "cleat.yaml", readFile(content, nil))
		require.ErrorContains(t, err, "sdk_key_file: what it names contains characters that no SDK key has")
	}
	_, err = config.Load(t.Context(), "cleat.yaml", options("sdk_key_env: MY_KEY"))
	require.ErrorContains(t, err, "config: cleat.yaml:1: sdk_key_env: what it names is empty or does not exist")
	require.ErrorIs(t, err, core.ErrInvalid)
}

func TestLoad_Events_AreSwitchedOff(t *testing.T) {
	for file, want := range map[string]bool{
		"sdk_key: k":                                              true,
		"sdk_key: k\nevents: {enabled: true}":                     true,
		"sdk_key: k\nevents: {enabled: false, gzip: true}":        false,
		"mode: daemon\nstore: memory://\nevents: {gzip: true}":    false,
		"mode: daemon\nstore: memory://\nsdk_key: k":              true,
		"mode: file\nfile: {paths: [x]}\nevents: {capacity: 100}": false,
	} {
		cfg := load(t, options(file))
		processor, err := cfg.Events(core.ClientSettings{
			SDKKey: cfg.SDKKey, Logger: slog.New(slog.DiscardHandler), HTTPClient: mockservice.New(t).Client(),
			Endpoints: core.ServiceEndpoints{Events: mockservice.URL},
		})
		require.NoError(t, err)
		_, off := processor.(events.Discarding)
		require.Equal(t, want, !off, file)
		require.NoError(t, processor.Close(t.Context()))
	}
}

func TestLoad_OfflineMode_TouchesNeitherStoresNorKeys(t *testing.T) {
	cfg := load(t, options("sdk_key_file: /no/such/file\nstore: redis://h?no_such_parameter=x\nstore_mode: read-only\n"+
		"big_segments: {store: same}\nhttp: {ca_file: /no/such/file}", "CLEAT_MODE=offline"))
	require.True(t, cfg.Offline)
	require.Nil(t, cfg.Store)
	require.Nil(t, cfg.BigSegmentStore)
	client, err := cleat.New(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, client.Close())
}

// A file of authorities that cannot be used is refused by the name that it was given by, before a client that has another name for
// it, and before a store is opened.
func TestLoad_CAFileThatCannotBeUsed_NamesSettingAndFile(t *testing.T) {
	directory := t.TempDir()
	empty, missing := filepath.Join(directory, "empty.pem"), filepath.Join(directory, "missing.pem")
	require.NoError(t, os.WriteFile(empty, []byte("no certificate"), 0o600))
	for path, want := range map[string]string{
		missing: "no such file", directory: "is a directory", empty: "it holds no certificate in PEM form",
	} {
		for place, opts := range map[string]*config.Options{
			"config: CLEAT_HTTP_CA_FILE: http.ca_file: ": options("sdk_key: k", "CLEAT_HTTP_CA_FILE="+path),
			"config: cleat.yaml:2: http.ca_file: ":       options("sdk_key: k\nhttp: {ca_file: " + path + "}\nstore: test://bad"),
		} {
			opts.Registry = newStores().Registry
			_, err := config.Load(t.Context(), "cleat.yaml", opts)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, place)
			require.ErrorContains(t, err, "the file "+path+" cannot be used: "+want)
		}
	}
	_, err := config.Load(t.Context(), "cleat.yaml", options("sdk_key: k", "CLEAT_HTTP_CA_FILE="+missing))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = config.Settings{SDKKey: config.NewSecret("k"), HTTP: config.HTTP{CAFile: missing}}.Open(t.Context(), nil)
	require.ErrorContains(t, err, "config: http.ca_file: ")
	file := tlstest.NewAuthority(t).File(t)
	require.Equal(t, file, load(t, options("sdk_key: k", "CLEAT_HTTP_CA_FILE="+file)).HTTP.CAFile)
}

// stores is a registry with the scheme test, of which the host decides what opening leads to.
type stores struct {
	*backends.Registry
	failure error
	closed  []string
}

func newStores() *stores {
	s := &stores{failure: errors.New("no such database")}
	fail := func(u *storeurl.URL) error {
		if u.Host() == "bad" {
			return s.failure
		}
		return nil
	}
	s.Registry = backends.New([]storeurl.Scheme{{
		Name: "test",
		OpenStore: func(ctx context.Context, u *storeurl.URL) (core.FeatureStoreCore, error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err := fail(u); err != nil {
				return nil, err
			}
			store := memorystore.New(nil, nil)
			return &recorded{store, func() { s.closed = append(s.closed, "store") }}, nil
		},
		OpenBigSegments: func(_ context.Context, u *storeurl.URL) (core.BigSegmentStore, error) {
			if err := fail(u); err != nil {
				return nil, err
			}
			store := memorystore.NewBigSegments(nil, nil)
			return &recordedSegments{store, func() { s.closed = append(s.closed, "big segments") }}, nil
		},
	}})
	return s
}

type recorded struct {
	core.FeatureStoreCore
	closed func()
}

func (r *recorded) Close() error { r.closed(); return r.FeatureStoreCore.Close() }

type recordedSegments struct {
	core.BigSegmentStore
	closed func()
}

func (r *recordedSegments) Close() error { r.closed(); return r.BigSegmentStore.Close() }

func TestLoad_StoreThatCannotBeOpened_ClosesTheOther(t *testing.T) {
	for file, want := range map[string]struct {
		message string
		closed  []string
	}{
		"sdk_key: k\nstore: test://good\nbig_segments: {store: 'test://bad'}": {
			"config: cleat.yaml:3: big_segments.store: backends: opening test://bad: no such database", []string{"store"},
		},
		"sdk_key: k\nstore: test://bad\nbig_segments: {store: 'test://good'}": {
			"config: cleat.yaml:2: store: backends: opening test://bad: no such database", []string{"big segments"},
		},
		"sdk_key: k\nstore: test://bad\nbig_segments: {store: same}": {
			"config: cleat.yaml:2: store: backends: opening test://bad: no such database\n" +
				"config: cleat.yaml:3: big_segments.store: backends: opening test://bad: no such database", nil,
		},
	} {
		stores := newStores()
		opts := options(file)
		opts.Registry = stores.Registry
		cfg, err := config.Load(t.Context(), "cleat.yaml", opts)
		require.EqualError(t, err, want.message)
		require.ErrorIs(t, err, stores.failure)
		require.Nil(t, cfg.Store)
		require.Nil(t, cfg.BigSegmentStore)
		require.Equal(t, want.closed, stores.closed)
	}
}

func TestLoad_EndedContext_IsReturnedAsItIs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stores := newStores()
	opts := options("sdk_key: k\nstore: test://good\nbig_segments: {store: same}")
	opts.Registry = stores.Registry
	_, err := config.Load(ctx, "cleat.yaml", opts)
	require.Equal(t, context.Canceled, err)
	require.Equal(t, []string{"big segments"}, stores.closed)
}

func TestSettings_Open_NamesTheSettingOnly(t *testing.T) {
	s := config.Settings{Mode: config.ModeDaemon, Store: config.NewURL("memory://?cash=1")}
	_, err := s.Open(t.Context(), &config.Options{Registry: all.Registry()})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "config: store: backends: memory://: cleat: invalid argument: parameter cash: it is unknown")
}

func TestSettings_Open_TakesChangedSettings(t *testing.T) {
	s := read(t, everything)
	s.Mode, s.Polling, s.PayloadFilter = config.ModeDaemon, config.Polling{}, ""
	s.HTTP.CAFile = tlstest.NewAuthority(t).File(t)
	s.Store = config.NewURL("sqlite://" + filepath.Join(t.TempDir(), "flags.db"))
	cfg, err := s.Open(t.Context(), &config.Options{Registry: all.Registry()})
	require.NoError(t, err)
	require.True(t, cfg.Daemon)
	require.Nil(t, cfg.DataSource)
	require.NoError(t, cfg.Store.Close())
	require.NoError(t, cfg.BigSegmentStore.Close())
}

func TestLoad_PathOfAMissingFile_IsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing.yaml")
	_, err := config.Load(t.Context(), path, &config.Options{Env: []string{}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path)
}

// Without its adapter, a store is refused by the line that names it, and the text says which import is missing. Everything that can be
// checked without opening a store is checked all the same.
func TestLoad_AdapterIsNotRegistered_NamesTheImport(t *testing.T) {
	opts := options("mode: daemon\nstore: redis://u:s3cr3t@h?prefix=p")
	for _, opts.Registry = range []*backends.Registry{nil, backends.New(memorystore.Schemes())} {
		_, err := config.Load(t.Context(), "cleat.yaml", opts)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, "config: cleat.yaml:2: store: backends: ")
		require.ErrorContains(t, err, "redis:// needs github.com/cleatdev/cleat/redisstore")
		require.NotContains(t, err.Error(), "s3cr3t")
		s, err := config.Read("cleat.yaml", opts)
		require.NoError(t, err)
		_, err = s.Open(t.Context(), opts)
		require.ErrorContains(t, err, "config: store: backends: ")
	}
}

// A program without a store needs no adapter.
func TestLoad_NoStore_NeedsNoRegistry(t *testing.T) {
	opts := options("sdk_key: k")
	opts.Registry = nil
	require.Nil(t, load(t, opts).Store)
	opts = options("mode: offline\nstore: redis://h")
	opts.Registry = nil
	require.Nil(t, load(t, opts).Store)
}

// Stores of a configuration log where the client does, and where their registry says if the client says nothing.
func TestLoad_Logger_IsThatOfTheStores(t *testing.T) {
	ofClient, ofRegistry := slog.New(slog.DiscardHandler), slog.New(slog.DiscardHandler)
	var got []*slog.Logger
	registry := backends.New([]storeurl.Scheme{{
		Name: "own",
		OpenStore: func(_ context.Context, u *storeurl.URL) (core.FeatureStoreCore, error) {
			got = append(got, u.Logger())
			return memorystore.New(nil, nil), nil
		},
		OpenBigSegments: func(_ context.Context, u *storeurl.URL) (core.BigSegmentStore, error) {
			got = append(got, u.Logger())
			return memorystore.NewBigSegments(nil, nil), nil
		},
	}})
	opts := options("mode: daemon\nstore: own://x\nbig_segments: {store: same}")
	opts.Registry = registry.WithLogger(ofRegistry)
	load(t, opts)
	require.Len(t, got, 2)
	require.Same(t, ofRegistry, got[0])
	require.Same(t, ofRegistry, got[1])
	opts.Logger = ofClient
	load(t, opts)
	require.Len(t, got, 4)
	require.Same(t, ofClient, got[2])
	require.Same(t, ofClient, got[3])
	opts.Logger, opts.Registry = nil, registry
	load(t, opts)
	require.Nil(t, got[4])
}

func TestLoad_SDKKeyFile_IsReadAgain(t *testing.T) {
	var log secrettest.Log
	dir := t.TempDir()
	path, key := filepath.Join(dir, "cleat.yaml"), filepath.Join(dir, "key")
	replace := func(content string) {
		require.NoError(t, os.WriteFile(key+".new", []byte(content), 0o600))
		require.NoError(t, os.Rename(key+".new", key))
	}
	replace("first\n")
	require.NoError(t, os.WriteFile(path, []byte("sdk_key_file: "+key), 0o600))
	cfg, err := config.Load(t.Context(), path, &config.Options{Env: []string{}, Logger: log.Logger()})
	require.NoError(t, err)
	require.Equal(t, "first", cfg.SDKKey)
	require.Equal(t, "first", cfg.CurrentSDKKey())
	replace(" second\r\n")
	require.Equal(t, "second", cfg.CurrentSDKKey())
	for _, unusable := range []string{"", "a\nb", "a key"} {
		replace(unusable)
		require.Equal(t, "second", cfg.CurrentSDKKey(), unusable)
	}
	said := log.Take()
	require.Equal(t, 1, strings.Count(said, "\n"), said)
	require.Contains(t, said, "sdk_key_file")
	cfg = load(t, options("sdk_key: k"))
	require.Nil(t, cfg.CurrentSDKKey)
}
