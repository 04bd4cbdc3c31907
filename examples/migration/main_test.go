package main

import (
	"bytes"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_EachStage(t *testing.T) {
	const fromOld = "Anna lives in Aarau, says old\nBerta lives in Bern, says old\n"
	const fromNew = "Anna lives in Aarau, says new\nBerta lives in Basel, says new\n"
	const oldFirst = "written to old\nwritten to new too (error: <nil>)\n"
	const newFirst = "written to new\nwritten to old too (error: <nil>)\n"
	for stage, want := range map[string]string{
		"off":          "written to old\n" + fromOld,
		"dualwrite":    oldFirst + fromOld,
		"shadow":       oldFirst + fromOld,
		"live":         newFirst + fromNew,
		"rampdown":     newFirst + fromNew,
		"complete":     "written to new\n" + fromNew,
		"no such text": "written to old\n" + fromOld,
	} {
		file := filepath.Join(t.TempDir(), "flags.yaml")
		require.NoError(t, os.WriteFile(file, []byte("flagValues:\n  move-addresses: \""+stage+"\"\n"), 0o600))
		var text bytes.Buffer
		require.NoError(t, run(t.Context(), log.New(&text, "", 0), file), stage)
		require.Equal(t, want, text.String(), stage)
	}
}

func TestRun_TheFlagFileOfTheExample(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, run(t.Context(), log.New(&text, "", 0), "flags.yaml"))
	require.Contains(t, text.String(), "says new")
}

func TestRun_NoFlagFile_ChangesNothing(t *testing.T) {
	var text bytes.Buffer
	require.Error(t, run(t.Context(), log.New(&text, "", 0), filepath.Join(t.TempDir(), "missing.yaml")))
	require.Empty(t, text.String())
}
