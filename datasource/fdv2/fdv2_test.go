package fdv2_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
	"github.com/cleatdev/cleat/datasource/polling"
	"github.com/cleatdev/cleat/datasource/testsource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The systems have the parts that their documentation names, and their factories make them.
func TestSystems_AreMadeOfTheirParts(t *testing.T) {
	for name, test := range map[string]struct {
		system                      *core.DataSystem
		initializers, synchronizers int
	}{
		"default":   {fdv2.Default(fdv2.StreamingOptions{}, fdv2.PollingOptions{}), 1, 2},
		"streaming": {fdv2.Streaming(fdv2.StreamingOptions{}, fdv2.PollingOptions{}), 0, 1},
		"polling":   {fdv2.Polling(fdv2.PollingOptions{}), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			require.Len(t, test.system.Initializers, test.initializers)
			require.Len(t, test.system.Synchronizers, test.synchronizers)
			for _, factory := range test.system.Initializers {
				made, err := factory(core.ClientSettings{})
				require.NoError(t, err)
				require.NotNil(t, made)
			}
			for _, factory := range append(test.system.Synchronizers, test.system.Fallback) {
				made, err := factory(core.ClientSettings{})
				require.NoError(t, err)
				require.NotNil(t, made)
			}
		})
	}
}

// Sources name themselves, and say of themselves what their counterparts of the first protocol do.
func TestSources_DescribeThemselves(t *testing.T) {
	for want, factory := range map[string]core.SynchronizerFactory{
		`streaming {"streamingDisabled":false,"reconnectTimeMillis":1000}`: fdv2.StreamingSynchronizer(fdv2.StreamingOptions{}),
		`polling {"streamingDisabled":true,"pollingIntervalMillis":30000}`: fdv2.PollingSynchronizer(fdv2.PollingOptions{}),
		"classic testsource": fdv2.ClassicSynchronizer(testsource.New().Factory()),
	} {
		source := made(t, factory)
		name, description, describes := strings.Cut(want, " {")
		described, ok := source.(core.DiagnosticDescription)
		if !ok {
			require.Equal(t, want, fmt.Sprint(source))
			continue
		}
		require.True(t, describes)
		require.Equal(t, name, fmt.Sprint(source))
		require.JSONEq(t, "{"+description, described.DescribeConfiguration(core.ClientConfiguration{}).JSONString())
	}
}

func TestFactories_OptionsThatCannotBeUsed_AreInvalid(t *testing.T) {
	wrong := fdv2.PollingOptions{Interval: -time.Second, MaxPayloadSize: -1}
	_, err := fdv2.PollingInitializer(wrong)(core.ClientSettings{})
	require.ErrorIs(t, err, core.ErrInvalid)
	require.ErrorContains(t, err, "Interval")
	require.ErrorContains(t, err, "MaxPayloadSize")
	_, err = fdv2.PollingSynchronizer(wrong)(core.ClientSettings{})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = fdv2.ClassicSynchronizer(polling.Source(polling.Options{Interval: -time.Second}))(core.ClientSettings{})
	require.ErrorIs(t, err, core.ErrInvalid)
	_, err = fdv2.StreamingSynchronizer(fdv2.StreamingOptions{ReadTimeout: -1})(core.ClientSettings{})
	require.ErrorIs(t, err, core.ErrInvalid)
}

// An interval that the service does not allow is logged and made longer.
func TestPolling_IntervalTooShort_IsLogged(t *testing.T) {
	for interval, logged := range map[time.Duration]bool{0: false, 15 * time.Second: true, 30 * time.Second: false, 45 * time.Second: false} {
		var log bytes.Buffer
		_, err := fdv2.PollingSynchronizer(fdv2.PollingOptions{Interval: interval})(core.ClientSettings{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		require.Equal(t, logged, log.Len() > 0, interval)
	}
}
