package flagservice

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadPatch_NamesTheBrokenItemAndWhatIsFound(t *testing.T) {
	_, _, err := ReadPatch([]byte(`{"path":"/flags/bad","data":{"version":1,"on":"yes"}}`), slog.New(slog.DiscardHandler))
	require.EqualError(t, err, ErrInvalidData.Error()+`: "/flags/bad": "on" must be a boolean, and is the string "yes"`)
}
