package config

import (
	"slices"
	"strings"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
)

// withDefaults returns the data system with its defaults.
func (d DataSystem) withDefaults() DataSystem {
	if len(d.Initializers)+len(d.Synchronizers) == 0 {
		d.Initializers, d.Synchronizers = []Source{SourcePolling}, []Source{SourceStreaming, SourcePolling}
	}
	if d.Fallback == "" {
		d.Fallback = SourceNone
		if slices.ContainsFunc(slices.Concat(d.Initializers, d.Synchronizers), Source.isSecondProtocol) {
			d.Fallback = SourceClassicPolling
		}
	}
	return d
}

func (s Source) isSecondProtocol() bool { return s == SourceStreaming || s == SourcePolling }

// sources returns all sources, defaults included.
func (d DataSystem) sources() []Source {
	d = d.withDefaults()
	return slices.Concat(d.Initializers, d.Synchronizers, []Source{d.Fallback})
}

// has reports whether the setting is about one of the sources.
func (d DataSystem) has(setting string) bool {
	section, _, _ := strings.Cut(setting, ".")
	return slices.ContainsFunc(d.sources(), func(s Source) bool { return strings.TrimPrefix(string(s), "classic-") == section })
}

// asksTheService reports whether a source needs an SDK key.
func (d DataSystem) asksTheService() bool {
	return slices.ContainsFunc(d.sources(), func(s Source) bool { return s != SourceFile && s != SourceNone })
}

// dataSystem returns the data system; nil unless the mode is [ModeDataSystem].
func (s *Settings) dataSystem() *core.DataSystem {
	if s.mode() != ModeDataSystem {
		return nil
	}
	d, system := s.DataSystem.withDefaults(), &core.DataSystem{}
	for _, source := range d.Initializers {
		if source == SourcePolling {
			system.Initializers = append(system.Initializers, fdv2.PollingInitializer(s.Polling.fdv2()))
		} else {
			system.Initializers = append(system.Initializers, fdv2.ClassicInitializer(s.classic(source)))
		}
	}
	for _, source := range d.Synchronizers {
		system.Synchronizers = append(system.Synchronizers, s.synchronizer(source))
	}
	if d.Fallback != SourceNone {
		system.Fallback = s.synchronizer(d.Fallback)
	}
	return system
}

func (s *Settings) synchronizer(source Source) core.SynchronizerFactory {
	switch source {
	case SourceStreaming:
		return fdv2.StreamingSynchronizer(fdv2.StreamingOptions{
			InitialRetryDelay: s.Streaming.InitialRetryDelay, ReadTimeout: s.Streaming.ReadTimeout,
		})
	case SourcePolling:
		return fdv2.PollingSynchronizer(s.Polling.fdv2())
	default:
		return fdv2.ClassicSynchronizer(s.classic(source))
	}
}

func (p Polling) fdv2() fdv2.PollingOptions {
	return fdv2.PollingOptions{Interval: p.Interval, RequestTimeout: p.RequestTimeout}
}

// classic returns the data source of a source that does not speak the second protocol.
func (s *Settings) classic(source Source) core.UpdateProcessorFactory {
	return s.dataSource(Mode(strings.TrimPrefix(string(source), "classic-")))
}
