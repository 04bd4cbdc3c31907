package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/bigsegments"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/filedata"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/livefile"
)

// Open checks the settings, finds the SDK key, opens the stores, and returns what [cleat.New] takes, which then owns the
// stores. In offline mode it opens no store, and looks for neither the file of authorities nor an SDK key in a file or a variable.
//
// Settings that cannot be used are an error that joins an [*Error] for each; other errors come from the files that settings name
// and from the stores. If there is an error, no store is open.
func (s Settings) Open(ctx context.Context, opts *Options) (cleat.Config, error) {
	if ctx == nil {
		return cleat.Config{}, errNilContext()
	}
	o := opts.withDefaults()
	if err := s.validate(o.Registry.Schemes()); err != nil {
		return cleat.Config{}, err
	}
	return s.open(ctx, o, nil)
}

// validate checks settings that were not read.
func (s *Settings) validate(schemes []string) error {
	var errs []error
	table := s.settings(schemes)
	for _, setting := range table {
		if !setting.valid() {
			errs = append(errs, &Error{Setting: setting.name, Problem: "expected " + setting.expects})
		}
	}
	for _, c := range s.conflicts(table) {
		errs = append(errs, &Error{Setting: c.setting, Problem: c.problem})
	}
	return errors.Join(errs...)
}

func (s *Settings) open(ctx context.Context, opts Options, origins map[string]origin) (cleat.Config, error) {
	key, err := s.key(opts, origins)
	if err != nil {
		return cleat.Config{}, err
	}
	config := cleat.Config{
		SDKKey:      key,
		Offline:     s.Mode == ModeOffline,
		Daemon:      s.Mode == ModeDaemon,
		Endpoints:   s.Endpoints.endpoints(),
		DataSource:  s.dataSource(s.mode()),
		DataSystem:  s.dataSystem(),
		BigSegments: s.BigSegments.options(),
		Events:      s.Events.factory(key),
		HTTP: cleat.HTTPOptions{
			ProxyURL:           s.HTTP.Proxy.Reveal(),
			CAFile:             s.HTTP.CAFile,
			InsecureSkipVerify: s.HTTP.InsecureSkipVerify,
			ConnectTimeout:     s.HTTP.ConnectTimeout,
		},
		Application: cleat.Application{ID: s.Application.ID, Version: s.Application.Version},
		StartWait:   s.StartWait,
		Logger:      opts.Logger,
	}
	if config.Offline {
		config.HTTP.CAFile = "" // which no request needs, and which may be missing
		return config, nil
	}
	if err := s.checkCAFile(opts.Logger, origins); err != nil {
		return cleat.Config{}, err
	}
	if s.StoreMode == StoreReadOnly {
		config.StoreMode = core.DataStoreModeReadOnly
	}
	if opts.Logger != nil {
		opts.Registry = opts.Registry.WithLogger(opts.Logger)
	}
	if s.SDKKeyFile != "" && opts.readsAgain {
		if config.CurrentSDKKey, err = s.liveKey(opts.Logger, origins); err != nil {
			return cleat.Config{}, err
		}
	}
	if err := s.openStores(ctx, &config, opts, origins); err != nil {
		return cleat.Config{}, err
	}
	return config, nil
}

// key returns the SDK key, wherever it is. Errors do not show the name of the file or variable, where a person may have
// put the key itself.
func (s *Settings) key(opts Options, origins map[string]origin) (string, error) {
	switch {
	case s.Mode == ModeOffline:
		return s.SDKKey.Reveal(), nil
	case s.SDKKeyFile != "":
		source := origins[nameSDKKeyFile].source
		content, err := opts.ReadFile(s.SDKKeyFile)
		if err != nil {
			return "", fmt.Errorf("config: %sthe file cannot be read: %w", place(source, nameSDKKeyFile), withoutPath(err))
		}
		return foundKey(string(content), source, nameSDKKeyFile)
	case s.SDKKeyEnv != "":
		return foundKey(newEnvironment(opts.Env)[s.SDKKeyEnv], origins[nameSDKKeyEnv].source, nameSDKKeyEnv)
	}
	return s.SDKKey.Reveal(), nil
}

// liveKey returns what reads the file of the SDK key again when it has changed.
func (s *Settings) liveKey(logger *slog.Logger, origins map[string]origin) (current func() string, err error) {
	source := origins[nameSDKKeyFile].source
	key, err := livefile.New(logger, "the setting "+nameSDKKeyFile, func(contents [][]byte) (string, error) {
		return foundKey(string(contents[0]), source, nameSDKKeyFile)
	}, s.SDKKeyFile)
	if err != nil {
		return nil, fmt.Errorf("config: %sthe file cannot be read: %w", place(source, nameSDKKeyFile), err)
	}
	return key.Current, nil
}

// checkCAFile returns why the file of authorities cannot be used, which [cleat.New] would say of a field that is not set here.
func (s *Settings) checkCAFile(logger *slog.Logger, origins map[string]origin) error {
	if s.HTTP.CAFile == "" {
		return nil
	}
	if _, err := livefile.Authorities(logger, nameCAFile, s.HTTP.CAFile, false); err != nil {
		return fmt.Errorf("config: %s%w: the file %s cannot be used: %w", place(origins[nameCAFile].source, nameCAFile),
			core.ErrInvalid, s.HTTP.CAFile, err)
	}
	return nil
}

// foundKey returns the key in the text that the setting leads to.
func foundKey(text, source, name string) (string, error) {
	switch key := strings.TrimSpace(text); {
	case key == "":
		return "", &Error{source, name, "what it names is empty or does not exist"}
	case !isKey(key):
		return "", &Error{source, name, "what it names contains characters that no SDK key has, such as quotes or a byte order mark"}
	default:
		return key, nil
	}
}

// withoutPath returns the cause of an error about a file.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

func (s *Settings) openStores(ctx context.Context, config *cleat.Config, opts Options, origins map[string]origin) error {
	var errs []error
	failed := func(name string, err error) {
		errs = append(errs, fmt.Errorf("config: %s%w", place(origins[name].source, name), err))
	}
	if s.Store != (URL{}) {
		backend, err := opts.Registry.Open(ctx, s.Store.Reveal())
		if err != nil {
			failed(nameStore, err)
		}
		config.Store, config.Cache = backend.Store, backend.Cache
	}
	if store := s.BigSegments.Store.Reveal(); store != "" {
		if store == SameStore {
			store = s.Store.Reveal()
		}
		bigSegments, err := opts.Registry.OpenBigSegments(ctx, store)
		if err != nil {
			failed(nameBigSegmentsStore, err)
		}
		config.BigSegmentStore = bigSegments.Store
		config.BigSegments.QueryTimeout = cmp.Or(config.BigSegments.QueryTimeout, bigSegments.QueryTimeout)
	}
	if len(errs) == 0 {
		return nil
	}
	if config.Store != nil {
		errs = append(errs, config.Store.Close())
	}
	if config.BigSegmentStore != nil {
		errs = append(errs, config.BigSegmentStore.Close())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

func (e *Endpoints) endpoints() core.ServiceEndpoints {
	return core.ServiceEndpoints{
		Streaming: cmp.Or(e.Streaming, e.Base).Reveal(),
		Polling:   cmp.Or(e.Polling, e.Base).Reveal(),
		Events:    cmp.Or(e.Events, e.Base).Reveal(),
	}
}

// dataSource returns what makes the one data source of a mode; nil if there is none.
func (s *Settings) dataSource(mode Mode) core.UpdateProcessorFactory {
	switch mode {
	case ModeStreaming:
		return streaming.Source(streaming.Options{
			PayloadFilter:     s.PayloadFilter,
			InitialRetryDelay: s.Streaming.InitialRetryDelay,
			ReadTimeout:       s.Streaming.ReadTimeout,
		})
	case ModePolling:
		return polling.Source(polling.Options{
			PayloadFilter:  s.PayloadFilter,
			Interval:       s.Polling.Interval,
			RequestTimeout: s.Polling.RequestTimeout,
		})
	case ModeFile:
		return filedata.Source(filedata.Options{
			Paths:        s.File.Paths,
			Reload:       s.File.Reload,
			PollInterval: s.File.PollInterval,
		})
	default:
		return nil
	}
}

func (b *BigSegments) options() bigsegments.Options {
	return bigsegments.Options{
		CacheSize:          b.CacheSize,
		CacheBytes:         b.CacheBytes,
		CacheTime:          b.CacheTime,
		StatusPollInterval: b.StatusPollInterval,
		StaleAfter:         b.StaleAfter,
		QueryTimeout:       b.QueryTimeout,
		ServeStaleFor:      b.ServeStaleFor,
	}
}

// factory returns what makes the event processor.
func (e *Events) factory(key string) core.EventProcessorFactory {
	if e.Enabled == Off || key == "" {
		return events.Off()
	}
	return events.Processor(events.Options{
		Capacity:                 e.Capacity,
		FlushInterval:            e.FlushInterval,
		AllAttributesPrivate:     e.AllAttributesPrivate,
		PrivateAttributes:        e.PrivateAttributes,
		OmitAnonymousContexts:    e.OmitAnonymousContexts,
		ContextKeysCapacity:      e.ContextKeysCapacity,
		ContextKeysFlushInterval: e.ContextKeysFlushInterval,
		EnableGzip:               e.Gzip,
		DisableDiagnostics:       e.Diagnostics == Off,
		DiagnosticInterval:       e.DiagnosticInterval,
	})
}
