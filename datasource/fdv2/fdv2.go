package fdv2

import (
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/internal/fdv2"
)

// Default returns the data system of most clients: it polls once, streams from then on, and polls while the stream does not work. If the
// flag service directs to its first protocol, that is polled.
func Default(streaming StreamingOptions, poll PollingOptions) *core.DataSystem {
	return &core.DataSystem{
		Initializers:  []core.InitializerFactory{PollingInitializer(poll)},
		Synchronizers: []core.SynchronizerFactory{StreamingSynchronizer(streaming), PollingSynchronizer(poll)},
		Fallback:      classicPolling(poll),
	}
}

// Streaming returns a data system that only streams, but for what the flag service directs to its first protocol, which is polled.
func Streaming(streaming StreamingOptions, fallback PollingOptions) *core.DataSystem {
	return &core.DataSystem{
		Synchronizers: []core.SynchronizerFactory{StreamingSynchronizer(streaming)}, Fallback: classicPolling(fallback),
	}
}

// Polling returns a data system that only polls.
func Polling(poll PollingOptions) *core.DataSystem {
	return &core.DataSystem{
		Synchronizers: []core.SynchronizerFactory{PollingSynchronizer(poll)}, Fallback: classicPolling(poll),
	}
}

// classicPolling polls everything by the first protocol.
func classicPolling(options PollingOptions) core.SynchronizerFactory {
	return ClassicSynchronizer(polling.Source(polling.Options{
		BaseURI: options.BaseURI, Interval: options.Interval, RequestTimeout: options.RequestTimeout, MaxPayloadSize: options.MaxPayloadSize,
	}))
}

// PollingInitializer makes an initializer that polls once. Options that cannot be used are reported by the factory, in an error that
// wraps [core.ErrInvalid] and names all of them; so are those of the other factories.
func PollingInitializer(options PollingOptions) core.InitializerFactory {
	return func(settings core.ClientSettings) (core.Initializer, error) { return newPoller(settings, options) }
}

// PollingSynchronizer makes a synchronizer that polls.
func PollingSynchronizer(options PollingOptions) core.SynchronizerFactory {
	return func(settings core.ClientSettings) (core.Synchronizer, error) { return newPoller(settings, options) }
}

func newPoller(settings core.ClientSettings, options PollingOptions) (*fdv2.Poller, error) {
	settings = settings.WithDefaults()
	resolved, err := options.resolve(settings)
	if err != nil {
		return nil, err
	}
	return fdv2.NewPoller(settings, resolved)
}

// StreamingSynchronizer makes a synchronizer that streams.
func StreamingSynchronizer(options StreamingOptions) core.SynchronizerFactory {
	return func(settings core.ClientSettings) (core.Synchronizer, error) {
		settings = settings.WithDefaults()
		resolved, err := options.resolve(settings)
		if err != nil {
			return nil, err
		}
		return fdv2.NewStreamer(settings, resolved)
	}
}
