package config

import "time"

// Mode says where a client gets its flags.
type Mode string

// The modes. The zero value means [ModeStreaming].
const (
	// ModeStreaming means from a stream of the flag service.
	ModeStreaming Mode = "streaming"
	// ModePolling means by asking the flag service at intervals.
	ModePolling Mode = "polling"
	// ModeFile means from files.
	ModeFile Mode = "file"
	// ModeDataSystem means from several sources, of which [DataSystem] says which; by default from a poll and then a stream of the
	// flag service by its second protocol, by which a client is sent what has changed since the state that it has.
	ModeDataSystem Mode = "data-system"
	// ModeDaemon means from the store, which other processes fill.
	ModeDaemon Mode = "daemon"
	// ModeOffline means from nowhere: every evaluation returns the default value.
	ModeOffline Mode = "offline"
)

// Source is one of several sources of [ModeDataSystem].
type Source string

// The sources.
const (
	// SourceStreaming is a stream of the flag service by its second protocol.
	SourceStreaming Source = "streaming"
	// SourcePolling asks the flag service by its second protocol.
	SourcePolling Source = "polling"
	// SourceFile is files.
	SourceFile Source = "file"
	// SourceClassicStreaming is a stream of the flag service by its first protocol.
	SourceClassicStreaming Source = "classic-streaming"
	// SourceClassicPolling asks the flag service by its first protocol.
	SourceClassicPolling Source = "classic-polling"
	// SourceNone is no source.
	SourceNone Source = "none"
)

// StoreMode says what a client may do with its store.
type StoreMode string

// The store modes. The zero value means [StoreReadWrite].
const (
	// StoreReadWrite means that the client writes what it gets to the store.
	StoreReadWrite StoreMode = "read-write"
	// StoreReadOnly means that the client never writes to the store.
	StoreReadOnly StoreMode = "read-only"
)

// Switch is a yes or no that has a default other than no.
type Switch int

// The positions of a [Switch].
const (
	// ByDefault means that nothing was said. It is the zero value.
	ByDefault Switch = iota
	// On means yes.
	On
	// Off means no.
	Off
)

// SameStore as [BigSegments].Store means the URL in [Settings].Store.
const SameStore = "same"

// Settings is a deployment's configuration as plain data. The zero value of each field means its default. The package
// documentation says what each setting means, under its name in snake case: BigSegments.CacheSize is
// big_segments.cache_size.
//
// Settings can be printed, logged, and marshalled to JSON and YAML in any way: secrets show as REDACTED. It is safe for
// concurrent reading.
type Settings struct {
	// SDKKey is the key of the environment in the flag service; SDKKeyFile names a file and SDKKeyEnv an environment
	// variable that holds it instead. At most one of them may be set. The file is read again when it changes.
	SDKKey                Secret
	SDKKeyFile, SDKKeyEnv string

	// Mode says where flags come from; by default from a stream.
	Mode Mode
	// PayloadFilter is the key of a filter by which the flag service leaves out part of the environment, which its second protocol
	// does not know.
	PayloadFilter string
	// StartWait is how long to wait for the first data; negative means not at all.
	StartWait time.Duration

	Streaming  Streaming
	Polling    Polling
	File       File
	DataSystem DataSystem

	// Store names the database of flags for package backends; by default they are in memory only.
	Store URL
	// StoreMode says whether the client may write to Store; by default it may.
	StoreMode StoreMode

	BigSegments BigSegments
	Endpoints   Endpoints
	Events      Events
	HTTP        HTTP
	Application Application
}

// Streaming is about [ModeStreaming], and the streams of [ModeDataSystem].
type Streaming struct {
	// InitialRetryDelay is how long to wait after the first error; 0 means 1 s.
	InitialRetryDelay time.Duration
	// ReadTimeout is how long a connection may be silent; 0 means 5 min.
	ReadTimeout time.Duration
}

// Polling is about [ModePolling], and the polls of [ModeDataSystem].
type Polling struct {
	// Interval is the time between two polls, at least 30 s; 0 means 30 s.
	Interval time.Duration
	// RequestTimeout is how long a poll may take; 0 means 10 s.
	RequestTimeout time.Duration
}

// File is about [ModeFile], and the files of [ModeDataSystem].
type File struct {
	// Paths names the files; at least one is required.
	Paths []string
	// Reload is true if the files are to be read again when they change.
	Reload bool
	// PollInterval is how often the files are looked at where the file system sends no notifications; 0 means 5 s.
	PollInterval time.Duration
}

// DataSystem is about [ModeDataSystem]. If it names neither initializers nor synchronizers, the flag service is polled once, and then
// streams; it is polled while the stream does not work.
type DataSystem struct {
	// Initializers are asked one after the other at the start: [SourcePolling], [SourceFile].
	Initializers []Source
	// Synchronizers keep the data current, one at a time, by preference the first. Any [Source] but [SourceNone] can be one.
	Synchronizers []Source
	// Fallback takes the place of all of them while the flag service directs to its first protocol: [SourceClassicPolling], which is
	// the default if a source speaks the second protocol, [SourceClassicStreaming], or [SourceNone].
	Fallback Source
}

// BigSegments is about the database of big segments.
type BigSegments struct {
	// Store names the database for package backends, or is [SameStore]; empty means that there are no big segments.
	Store URL
	// CacheSize is how many memberships are kept at most; 0 means 1,000.
	CacheSize int
	// CacheBytes is how many bytes of memory the kept memberships take, by estimate; 0 means 64 MiB.
	CacheBytes int
	// CacheTime is for how long a membership is used; 0 means 5 s.
	CacheTime time.Duration
	// StaleAfter is how long ago the store may last have been up to date; 0 means 2 min.
	StaleAfter time.Duration
	// StatusPollInterval is how often the store's state is looked at; 0 means 5 s.
	StatusPollInterval time.Duration
	// QueryTimeout ends every query of the store; 0 means 2 s.
	QueryTimeout time.Duration
	// ServeStaleFor is for how long a membership is used beyond CacheTime while the store cannot be asked for it or has been
	// wiped; 0 means not at all.
	ServeStaleFor time.Duration
}

// Endpoints says where the flag service is; what is empty is the public one.
type Endpoints struct {
	// Base stands for each of the others that is empty, as for a Relay Proxy, which answers no ModePolling.
	Base                       URL
	Streaming, Polling, Events URL
}

// Events is about analytics events.
type Events struct {
	// Enabled says whether events are delivered; by default they are if there is an SDK key.
	Enabled Switch
	// Capacity is how many events are kept between two deliveries; 0 means 10,000.
	Capacity int
	// FlushInterval is how often events are delivered; 0 means 5 s.
	FlushInterval time.Duration
	// AllAttributesPrivate is true if no attributes of contexts are delivered.
	AllAttributesPrivate bool
	// PrivateAttributes names attributes that are not delivered.
	PrivateAttributes []string
	// OmitAnonymousContexts is true if anonymous contexts are not listed.
	OmitAnonymousContexts bool
	// ContextKeysCapacity is how many contexts are remembered as listed already; 0 means 1,000.
	ContextKeysCapacity int
	// ContextKeysFlushInterval is after what time they are forgotten; 0 means 5 min.
	ContextKeysFlushInterval time.Duration
	// Gzip is true if deliveries are compressed.
	Gzip bool
	// Diagnostics says whether diagnostic events are delivered; by default they are.
	Diagnostics Switch
	// DiagnosticInterval is how often, at least every minute; 0 means 15 min.
	DiagnosticInterval time.Duration
}

// HTTP says how the flag service is reached.
type HTTP struct {
	// Proxy is the proxy of all requests; by default HTTPS_PROXY and its like are followed.
	Proxy URL
	// CAFile names a file of certificates to trust besides those of the system. It is read again when it changes.
	CAFile string
	// InsecureSkipVerify is true if the server's certificate is not checked.
	InsecureSkipVerify bool
	// ConnectTimeout is how long to try to connect; 0 means 3 s.
	ConnectTimeout time.Duration
}

// Application names the application to the flag service.
type Application struct {
	ID, Version string
}
