// Package config makes the configuration of a client from a YAML file and from environment variables, so that a
// deployment decides where flags come from and in which database they are kept, and the program need not know.
//
//	cfg, err := config.Load(ctx, "cleat.yaml", &config.Options{Registry: all.Registry()})
//	if err != nil {
//		return err
//	}
//	client, err := cleat.New(ctx, cfg)
//
// [Load] opens the stores, with the adapters that are registered. all.Registry() of package backends/all has every one, and links the
// drivers of all databases; a program that uses one database registers that alone, as in backends.New(redisstore.Schemes()).
// examples/service is a whole program. [Read] only reads and checks; the [Settings] that it returns can be printed without showing a
// secret, changed, and opened by [Settings.Open].
//
// # File
//
// All settings are optional, but for what the mode needs. Defaults stand in the comments.
//
//	# The key of the environment in the flag service, given in one of three ways. Modes streaming and polling, and
//	# data-system unless all its sources are files, need it; with it, the other modes deliver events.
//	sdk_key: sdk-00000000-0000-0000-0000-000000000000
//	# sdk_key_file: /run/secrets/sdk-key    # a file that holds the key
//	# sdk_key_env: FLAGS_KEY                # an environment variable that holds the key
//
//	# Where flags come from: streaming (default), polling, file, data-system (several sources, by the second protocol of the
//	# flag service), daemon (from the store, which others fill), or offline.
//	mode: streaming
//	payload_filter: checkout        # streaming and polling: a filter that leaves out part of the environment; none
//	start_wait: 10s                 # how long to wait for the first data, or off; 5s
//
//	streaming:                      # with mode streaming, or a data_system that streams
//	  initial_retry_delay: 1s       # how long to wait after the first error; 1s
//	  read_timeout: 5m              # how long a connection may be silent; 5m
//
//	# polling:                      # with mode polling, or a data_system that polls
//	#   interval: 1m                # time between two polls, at least 30s; 30s
//	#   request_timeout: 10s        # how long a poll may take; 10s
//
//	# file:                         # with mode file, or a data_system that has files
//	#   paths: [/etc/app/flags.yaml]
//	#   reload: true                # read them again when they change; false
//	#   poll_interval: 5s           # how often to look where there are no notifications; 5s
//
//	# data_system:                  # with mode data-system only; without initializers and synchronizers, it is as here
//	#   initializers: [polling]     # asked one after the other at the start: polling, file
//	#   # keep the data current, one at a time, by preference the first: streaming, polling, file, classic-streaming,
//	#   # classic-polling (by the first protocol); [streaming] alone only streams, and [polling] only polls
//	#   synchronizers: [streaming, polling]
//	#   # while the flag service directs to its first protocol: classic-polling, classic-streaming, or none
//	#   fallback: classic-polling
//
//	# The database of flags and how it is cached: a URL of package backends. In memory only by default.
//	store: rediss://redis.example.com:6379?prefix=app&cache=30s&password_file=/run/secrets/redis
//	store_mode: read-write          # or read-only: never write to the store; read-write
//
//	big_segments:
//	  # same as store, or the URL of another database; none. In Consul, the prefix of big segments must not begin with that
//	  # of flags, as it would with a prefix in store and same here: LaunchDarkly's writers delete all keys that do.
//	  store: same
//	  cache_size: 1000              # memberships kept at most; 1000
//	  cache_bytes: 67108864         # bytes of memory that they take at most, by estimate; 64 MiB
//	  cache_time: 5s                # how long a membership is used; 5s
//	  stale_after: 2m               # how long ago the store may last have been up to date; 2m
//	  status_poll_interval: 5s      # how often to look at that; 5s
//	  query_timeout: 2s             # ends every query; 2s
//	  serve_stale_for: 10m          # how long beyond cache_time to use a membership during an outage; not at all
//
//	endpoints:                      # by default those of the public flag service; a Relay Proxy answers no mode polling
//	  base: https://relay.example.com       # stands for those of the following that are not given, as for a Relay Proxy
//	  streaming: https://stream.example.com
//	  polling: https://poll.example.com
//	  events: https://events.example.com
//
//	events:
//	  enabled: true                 # true if there is an SDK key
//	  capacity: 10000               # events kept between two deliveries; 10000
//	  flush_interval: 5s            # how often they are delivered; 5s
//	  all_attributes_private: false # deliver no attributes of contexts; false
//	  private_attributes: [email, /address/street]  # attributes that are not delivered; none
//	  omit_anonymous_contexts: false        # do not list anonymous contexts; false
//	  context_keys_capacity: 1000   # contexts remembered as listed already; 1000
//	  context_keys_flush_interval: 5m       # when they are forgotten; 5m
//	  gzip: true                    # compress deliveries; false
//	  diagnostics: true             # deliver events about the client itself; true
//	  diagnostic_interval: 15m      # how often, at least every 1m; 15m
//
//	http:
//	  proxy: http://proxy.example.com:3128  # http, https or socks5; HTTPS_PROXY and its like are followed by default
//	  ca_file: /etc/ssl/relay-ca.pem        # certificates to trust besides those of the system
//	  # insecure_skip_verify: true  # do not check the server's certificate, for tests; false
//	  connect_timeout: 3s           # how long to try to connect; 3s
//
//	application:                    # what the flag service is told of the application
//	  id: checkout
//	  version: 1.4.2
//
// Durations are written as [time.ParseDuration] reads them and are greater than 0. Relative paths are relative to the
// working directory. An empty value is as good as none. Space around a value does not count.
//
// # Environment
//
// Each setting has an environment variable, whose name is CLEAT_, the section if there is one, and the name of the
// setting, in capitals. The environment wins over the file, setting by setting; an SDK key from the environment wins over
// one that the file gives in another way. An empty variable is as good as none. Lists are separated by commas.
//
//	CLEAT_CONFIG                              the path of the file, if the program names none
//
//	CLEAT_SDK_KEY                             sdk_key
//	CLEAT_SDK_KEY_FILE                        sdk_key_file
//	CLEAT_SDK_KEY_ENV                         sdk_key_env
//	CLEAT_MODE                                mode
//	CLEAT_PAYLOAD_FILTER                      payload_filter
//	CLEAT_START_WAIT                          start_wait
//	CLEAT_STREAMING_INITIAL_RETRY_DELAY       streaming.initial_retry_delay
//	CLEAT_STREAMING_READ_TIMEOUT              streaming.read_timeout
//	CLEAT_POLLING_INTERVAL                    polling.interval
//	CLEAT_POLLING_REQUEST_TIMEOUT             polling.request_timeout
//	CLEAT_FILE_PATHS                          file.paths
//	CLEAT_FILE_RELOAD                         file.reload
//	CLEAT_FILE_POLL_INTERVAL                  file.poll_interval
//	CLEAT_DATA_SYSTEM_INITIALIZERS            data_system.initializers
//	CLEAT_DATA_SYSTEM_SYNCHRONIZERS           data_system.synchronizers
//	CLEAT_DATA_SYSTEM_FALLBACK                data_system.fallback
//	CLEAT_STORE                               store
//	CLEAT_STORE_MODE                          store_mode
//	CLEAT_BIG_SEGMENTS_STORE                  big_segments.store
//	CLEAT_BIG_SEGMENTS_CACHE_SIZE             big_segments.cache_size
//	CLEAT_BIG_SEGMENTS_CACHE_BYTES            big_segments.cache_bytes
//	CLEAT_BIG_SEGMENTS_CACHE_TIME             big_segments.cache_time
//	CLEAT_BIG_SEGMENTS_STALE_AFTER            big_segments.stale_after
//	CLEAT_BIG_SEGMENTS_STATUS_POLL_INTERVAL   big_segments.status_poll_interval
//	CLEAT_BIG_SEGMENTS_QUERY_TIMEOUT          big_segments.query_timeout
//	CLEAT_BIG_SEGMENTS_SERVE_STALE_FOR        big_segments.serve_stale_for
//	CLEAT_ENDPOINTS_BASE                      endpoints.base
//	CLEAT_ENDPOINTS_STREAMING                 endpoints.streaming
//	CLEAT_ENDPOINTS_POLLING                   endpoints.polling
//	CLEAT_ENDPOINTS_EVENTS                    endpoints.events
//	CLEAT_EVENTS_ENABLED                      events.enabled
//	CLEAT_EVENTS_CAPACITY                     events.capacity
//	CLEAT_EVENTS_FLUSH_INTERVAL               events.flush_interval
//	CLEAT_EVENTS_ALL_ATTRIBUTES_PRIVATE       events.all_attributes_private
//	CLEAT_EVENTS_PRIVATE_ATTRIBUTES           events.private_attributes
//	CLEAT_EVENTS_OMIT_ANONYMOUS_CONTEXTS      events.omit_anonymous_contexts
//	CLEAT_EVENTS_CONTEXT_KEYS_CAPACITY        events.context_keys_capacity
//	CLEAT_EVENTS_CONTEXT_KEYS_FLUSH_INTERVAL  events.context_keys_flush_interval
//	CLEAT_EVENTS_GZIP                         events.gzip
//	CLEAT_EVENTS_DIAGNOSTICS                  events.diagnostics
//	CLEAT_EVENTS_DIAGNOSTIC_INTERVAL          events.diagnostic_interval
//	CLEAT_HTTP_PROXY                          http.proxy
//	CLEAT_HTTP_CA_FILE                        http.ca_file
//	CLEAT_HTTP_INSECURE_SKIP_VERIFY           http.insecure_skip_verify
//	CLEAT_HTTP_CONNECT_TIMEOUT                http.connect_timeout
//	CLEAT_APPLICATION_ID                      application.id
//	CLEAT_APPLICATION_VERSION                 application.version
//
// Any other variable whose name begins with CLEAT_ is an error, but for those that the settings themselves name (in
// sdk_key_env, or as password_env and the like in the URL of a store), those that Kubernetes sets for services (such as
// CLEAT_RELAY_SERVICE_HOST and CLEAT_RELAY_PORT), and those that begin with CLEAT_TEST_.
//
// # Files that are replaced
//
// sdk_key_file, http.ca_file and the files that the URL of a store names (see package backends) are read again when a request or
// a connection needs them and they have changed: written over, replaced, or reached through a symbolic link that leads to another
// file now, as in a secret that Kubernetes mounts. A file that cannot be read or used for a moment leaves what it held before in
// use, and is logged once. The SDK key should be replaced before the old one expires: a service that refuses a delivery of events
// gets none any more, and one that refuses to send flags is asked again after five minutes. Other settings, the file of the
// configuration and the environment are read once. file.reload says whether files of flags are.
//
// # Errors
//
// All that is wrong is reported at once, as an [*Error] each, with the file and its line or the variable, the name of the
// setting, and what is expected. Unknown and repeated names are errors. So are settings that contradict each other: a
// setting of another mode, a store mode without a store, two ways to give the SDK key. What the environment alone makes
// needless in the file, for example the polling interval when CLEAT_MODE is daemon, is ignored instead. Mode offline and
// events.enabled: false are switches, beside which everything else may stay.
//
// # Secrets
//
// The SDK key and the passwords in URLs show in no error, no log and no printed or marshalled [Settings];
// [Secret.Reveal] and [URL.Reveal] return them, and the [cleat.Config] that [Load] returns holds them. An [*Error] quotes
// no values of settings at all, because a key may stand in the wrong place. Errors of a store show scheme, host and path of
// its URL, and may show a prefix, region or endpoint; one about http.ca_file shows that path.
package config
