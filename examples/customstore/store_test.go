//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package customstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/conformance"
	"github.com/cleatdev/cleat/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness reaches the files without the adapter, so that the suite sees what that does and can do what others might.
func harness(directory string) conformance.Harness {
	path := func(prefix string) string { return filepath.Join(directory, fmt.Sprintf("%x.json", prefix)) }
	read := func(t testing.TB, prefix string) (d document) {
		text, err := os.ReadFile(path(prefix))
		if !errors.Is(err, fs.ErrNotExist) {
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &d))
		}
		return d
	}
	return conformance.Harness{
		Open: func(t testing.TB, prefix string) core.FeatureStoreCore {
			store, err := New(directory, prefix)
			require.NoError(t, err)
			return store
		},
		WriteRaw: func(t testing.TB, prefix string, kind core.DataKind, key string, data []byte) {
			d := read(t, prefix)
			d.put(kind, key, core.SerializedItem{Data: data})
			text, err := json.Marshal(d)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path(prefix), text, 0o600))
		},
		ReadRaw: func(t testing.TB, prefix string, kind core.DataKind, key string) (data []byte, found bool) {
			data, found = read(t, prefix).Items[kind][key]
			return data, found
		},
		Wipe: func(t testing.TB) {
			require.NoError(t, os.RemoveAll(directory))
			require.NoError(t, os.Mkdir(directory, 0o700))
		},
		Capabilities: conformance.Capabilities{AtomicInit: true},
	}
}

func TestStore_Conformance(t *testing.T) { conformance.RunFeatureStore(t, harness(t.TempDir())) }

func TestStore_WrappedConformance(t *testing.T) { conformance.RunWrapped(t, harness(t.TempDir())) }
