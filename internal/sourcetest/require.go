package sourcetest

import (
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/mockservice"
)

// RequireState requires that the source is in that state.
func (r *Rig) RequireState(state core.DataSourceState) {
	r.T.Helper()
	require.Equal(r.T, state, r.Sink.Last().State, "%v", r.Sink.Last().Err)
}

// RequireInterrupted requires that the source is interrupted with an error that contains all the texts.
func (r *Rig) RequireInterrupted(kind core.DataSourceErrorKind, texts ...string) core.DataSourceErrorInfo {
	r.T.Helper()
	r.RequireState(core.DataSourceInterrupted)
	info := r.Sink.Last().Err
	require.Equal(r.T, kind, info.Kind, info.Message)
	require.NotZero(r.T, info.Time)
	require.NotContains(r.T, info.Message, mockservice.SDKKey)
	for _, text := range texts {
		require.Contains(r.T, info.Message, text)
	}
	return info
}

// RequireFlag requires that the sink has the flag with that JSON.
func (r *Rig) RequireFlag(key, text string) {
	r.T.Helper()
	require.Equal(r.T, text, r.Sink.Items()["features/"+key])
}
