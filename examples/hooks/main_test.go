package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldreason"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun_LogsEvaluationsAndEvents(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, run(t.Context(), slog.New(slog.NewJSONHandler(&text, nil)), "../quickstart/flags.yaml"))
	var records []map[string]any
	decoder := json.NewDecoder(&text)
	for decoder.More() {
		var record map[string]any
		require.NoError(t, decoder.Decode(&record))
		if record["msg"] == "flag evaluated" {
			require.Positive(t, record["took"])
		}
		delete(record, "time")
		delete(record, "took")
		records = append(records, record)
	}
	require.Contains(t, records, map[string]any{
		"level": "INFO", "msg": "flag evaluated", "flag": "cart-max-lines", "value": "100", "reason": "FALLTHROUGH",
	})
	require.Contains(t, records, map[string]any{
		"level": "WARN", "msg": "flag evaluated", "flag": "no-such-flag", "value": "false", "reason": "ERROR(FLAG_NOT_FOUND)",
	})
	require.Contains(t, records, map[string]any{"level": "INFO", "msg": "event", "key": "bought", "metric": 0.0})
}

func TestLogHook_AfterEvaluation_WithoutItsDataFails(t *testing.T) {
	hook := logHook{logger: slog.New(slog.DiscardHandler)}
	require.Error(t, hook.AfterEvaluation(t.Context(), cleat.HookEvaluation{FlagKey: "a"}, nil, ldreason.EvaluationDetail{}))
}
