package main

import (
	"bytes"
	"log"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const flagFile = "../quickstart/flags.yaml"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func output(t *testing.T, storeURL, flagFile string) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, run(t.Context(), log.New(&text, "", 0), storeURL, flagFile))
	return text.String()
}

func TestRun_AnyStore(t *testing.T) {
	for _, url := range []string{"memory://", "memory://?cache=off", "sqlite://" + filepath.Join(t.TempDir(), "flags.db")} {
		require.Equal(t, "cart limit: 100 (FALLTHROUGH)\n", output(t, url, flagFile), url)
	}
}

// What tells a database from memory: it still knows the flags when the next process begins.
func TestRun_FlagFileIsGone(t *testing.T) {
	file := "sqlite://" + filepath.Join(t.TempDir(), "flags.db")
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	output(t, file, flagFile)
	require.Equal(t, "cart limit: 100 (FALLTHROUGH)\n", output(t, file, missing))
	require.Equal(t, "cart limit: 50 (ERROR(CLIENT_NOT_READY))\n", output(t, "memory://", missing))
}
