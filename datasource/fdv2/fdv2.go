package fdv2

import (
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/fdv2"
)

// Default returns the data system of most clients: it polls once, streams from then on, and polls while the stream does not work. If the
// flag service directs to its first protocol, that is polled.
func Default(streaming StreamingOptions, polling PollingOptions) *core.DataSystem {
	return &core.DataSystem{
		Initializers:  []core.InitializerFactory{PollingInitializer(polling)},
		Synchronizers: []core.SynchronizerFactory{StreamingSynchronizer(streaming), PollingSynchronizer(polling)},
		Fallback:      ClassicPollingSynchronizer(polling),
	}
}

// Streaming returns a data system that only streams, but for what the flag service directs to its first protocol, which is polled.
func Streaming(streaming StreamingOptions, fallback PollingOptions) *core.DataSystem {
	return &core.DataSystem{
		Synchronizers: []core.SynchronizerFactory{StreamingSynchronizer(streaming)}, Fallback: ClassicPollingSynchronizer(fallback),
	}
}

// Polling returns a data system that only polls.
func Polling(polling PollingOptions) *core.DataSystem {
	return &core.DataSystem{
		Synchronizers: []core.SynchronizerFactory{PollingSynchronizer(polling)}, Fallback: ClassicPollingSynchronizer(polling),
	}
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

// ClassicPollingSynchronizer makes a synchronizer that polls everything by the first protocol.
func ClassicPollingSynchronizer(options PollingOptions) core.SynchronizerFactory {
	return func(settings core.ClientSettings) (core.Synchronizer, error) {
		settings = settings.WithDefaults()
		resolved, err := options.resolve(settings)
		if err != nil {
			return nil, err
		}
		return fdv2.NewClassicPoller(settings, resolved)
	}
}
