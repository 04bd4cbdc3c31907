package cleat

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// lateSource delivers once more while it is being stopped.
type lateSource struct {
	manualSource
	last []core.Collection
	err  error
}

func (s *lateSource) Stop() {
	s.err = s.sink.Init(context.Background(), s.last)
	synctest.Wait() // until listeners have been told of it
	s.manualSource.Stop()
}

// What a closed client answers is no change of the flag.
func TestClient_Close_AnnouncesNoValueChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &lateSource{
			manualSource: manualSource{first: items(t, "a", onFlag("a", 1, "true"))},
			last:         items(t, "a", onFlag("a", 2, "true")),
		}
		client, err := New(t.Context(), Config{DataSource: func(settings core.ClientSettings, sink core.DataSourceUpdateSink) (core.UpdateProcessor, error) {
			_, err := source.factory(settings, sink)
			return source, err
		}})
		require.NoError(t, err)
		defer func() { require.NoError(t, client.Close()) }()
		var flags collector[core.FlagChange]
		var values collector[core.FlagValueChange]
		client.FlagTracker().AddFlagChangeListener(flags.listen)
		client.FlagTracker().AddFlagValueChangeListener("a", user, anyDefault, values.listen)
		require.True(t, client.BoolVariation(t.Context(), "a", user, false))
		require.NoError(t, client.Close())
		require.NoError(t, source.err)
		require.Equal(t, []string{"a"}, takeKeys(&flags), "the update itself was announced")
		require.Empty(t, values.take())
	})
}
