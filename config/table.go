package config

import (
	"math"
	"strings"
	"time"

	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/events"
)

const (
	nameSDKKey            = "sdk_key"
	nameSDKKeyFile        = "sdk_key_file"
	nameSDKKeyEnv         = "sdk_key_env"
	nameMode              = "mode"
	namePayloadFilter     = "payload_filter"
	nameFilePaths         = "file.paths"
	nameStore             = "store"
	nameStoreMode         = "store_mode"
	nameBigSegmentsStore  = "big_segments.store"
	nameEventsEnabled     = "events.enabled"
	nameCAFile            = "http.ca_file"
	nameInsecure          = "http.insecure_skip_verify"
	expectsService        = "a URL such as https://relay.example.com, without parameters"
	expectsStore          = "a URL such as redis://host:6379?prefix=app, in whose password special characters are written as %XX; known schemes are "
	expectsApplicationTag = "at most 64 letters, digits, '.', '_' and '-'"
)

// always is the shortest duration that is one.
const always = time.Nanosecond

// settings returns the table: all settings, sections together, in the order in which they are printed. schemes are the
// known schemes of stores.
func (s *Settings) settings(schemes []string) []setting {
	isStore := func(text string) bool { return isStoreURL(text, schemes) }
	isBigSegments := func(text string) bool { return text == SameStore || isStore(text) }
	stores := expectsStore + strings.Join(schemes, ", ")
	return []setting{
		secret(nameSDKKey, "the SDK key, without spaces, quotes and characters beyond ASCII", &s.SDKKey, isKey),
		text(nameSDKKeyFile, "the path of a file", &s.SDKKeyFile, isLine),
		text(nameSDKKeyEnv, "the name of an environment variable", &s.SDKKeyEnv, isVariable),
		choice(nameMode, &s.Mode, ModeStreaming, ModePolling, ModeFile, ModeDataSystem, ModeDaemon, ModeOffline),
		text(namePayloadFilter, "letters, digits, '.', '_' and '-', beginning with a letter or digit", &s.PayloadFilter, isFilter),
		wait("start_wait", &s.StartWait),

		duration("streaming.initial_retry_delay", &s.Streaming.InitialRetryDelay, always),
		duration("streaming.read_timeout", &s.Streaming.ReadTimeout, always),
		duration("polling.interval", &s.Polling.Interval, polling.MinInterval),
		duration("polling.request_timeout", &s.Polling.RequestTimeout, always),
		list(nameFilePaths, "the paths of files", &s.File.Paths, isLine),
		boolean("file.reload", &s.File.Reload),
		duration("file.poll_interval", &s.File.PollInterval, always),
		choices("data_system.initializers", &s.DataSystem.Initializers, SourcePolling, SourceFile),
		choices("data_system.synchronizers", &s.DataSystem.Synchronizers,
			SourceStreaming, SourcePolling, SourceFile, SourceClassicStreaming, SourceClassicPolling),
		choice("data_system.fallback", &s.DataSystem.Fallback, SourceClassicPolling, SourceClassicStreaming, SourceNone),

		address(nameStore, stores, &s.Store, isStore),
		choice(nameStoreMode, &s.StoreMode, StoreReadWrite, StoreReadOnly),
		address(nameBigSegmentsStore, SameStore+", or "+stores, &s.BigSegments.Store, isBigSegments),
		number("big_segments.cache_size", &s.BigSegments.CacheSize, math.MaxInt32),
		number("big_segments.cache_bytes", &s.BigSegments.CacheBytes, math.MaxInt32),
		duration("big_segments.cache_time", &s.BigSegments.CacheTime, always),
		duration("big_segments.stale_after", &s.BigSegments.StaleAfter, always),
		duration("big_segments.status_poll_interval", &s.BigSegments.StatusPollInterval, always),
		duration("big_segments.query_timeout", &s.BigSegments.QueryTimeout, always),
		duration("big_segments.serve_stale_for", &s.BigSegments.ServeStaleFor, always),

		address("endpoints.base", expectsService, &s.Endpoints.Base, isServiceURL),
		address("endpoints.streaming", expectsService, &s.Endpoints.Streaming, isServiceURL),
		address("endpoints.polling", expectsService, &s.Endpoints.Polling, isServiceURL),
		address("endpoints.events", expectsService, &s.Endpoints.Events, isServiceURL),

		onOff(nameEventsEnabled, &s.Events.Enabled),
		number("events.capacity", &s.Events.Capacity, events.MaxCapacity),
		duration("events.flush_interval", &s.Events.FlushInterval, always),
		boolean("events.all_attributes_private", &s.Events.AllAttributesPrivate),
		list("events.private_attributes", "names of attributes, or references such as /address/street",
			&s.Events.PrivateAttributes, isAttribute),
		boolean("events.omit_anonymous_contexts", &s.Events.OmitAnonymousContexts),
		number("events.context_keys_capacity", &s.Events.ContextKeysCapacity, events.MaxCapacity),
		duration("events.context_keys_flush_interval", &s.Events.ContextKeysFlushInterval, always),
		boolean("events.gzip", &s.Events.Gzip),
		onOff("events.diagnostics", &s.Events.Diagnostics),
		duration("events.diagnostic_interval", &s.Events.DiagnosticInterval, events.MinDiagnosticInterval),

		address("http.proxy", "the URL of a proxy, such as http://proxy:3128, https://… or socks5://…", &s.HTTP.Proxy, isProxyURL),
		text(nameCAFile, "the path of a file", &s.HTTP.CAFile, isLine),
		boolean(nameInsecure, &s.HTTP.InsecureSkipVerify),
		duration("http.connect_timeout", &s.HTTP.ConnectTimeout, always),

		text("application.id", expectsApplicationTag, &s.Application.ID, isTag),
		text("application.version", expectsApplicationTag, &s.Application.Version, isTag),
	}
}
