package cleat

import (
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"

	"github.com/cleatdev/cleat/core"
)

// diagnostics describes the configuration in the form in which the flag service takes it. It contains no secrets, and of
// addresses only whether they are those of the public service.
func (c *Config) diagnostics() ldvalue.Value {
	endpoints, public := c.Endpoints.WithDefaults(), core.ServiceEndpoints{}.WithDefaults()
	return ldvalue.ObjectBuild().
		SetBool("customBaseURI", endpoints.Polling != public.Polling).
		SetBool("customStreamURI", endpoints.Streaming != public.Streaming).
		SetBool("customEventsURI", endpoints.Events != public.Events).
		Set("dataStoreType", c.describeStore()).
		Set("startWaitMillis", milliseconds(max(c.StartWait, 0))).
		Set("connectTimeoutMillis", milliseconds(c.HTTP.ConnectTimeout)).
		SetBool("usingProxy", c.HTTP.ProxyURL != "").
		SetBool("usingRelayDaemon", c.Daemon).
		Build()
}

func milliseconds(d time.Duration) ldvalue.Value {
	return ldvalue.Float64(float64(d / time.Millisecond))
}

// describeStore names the type of the store.
func (c *Config) describeStore() ldvalue.Value {
	if c.Store == nil {
		return ldvalue.String("memory")
	}
	describer, ok := c.Store.(core.DiagnosticDescription)
	if !ok {
		return ldvalue.String("custom")
	}
	endpoints := c.Endpoints.WithDefaults()
	return describer.DescribeConfiguration(core.ClientConfiguration{
		Offline: c.Offline, DaemonMode: c.Daemon,
		StreamingURI: endpoints.Streaming, PollingURI: endpoints.Polling, EventsURI: endpoints.Events,
	})
}
