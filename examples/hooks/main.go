// Command hooks logs every evaluation, with its outcome and how long it took, by a hook of the client.
//
//	go run ./examples/hooks examples/quickstart/flags.yaml
package main

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldreason"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/filedata"
)

// logHook embeds NoHook, so that it need implement only what it cares for.
type logHook struct {
	cleat.NoHook
	logger *slog.Logger
}

var _ cleat.Hook = logHook{}

func (logHook) Name() string { return "log" }

// BeforeEvaluation keeps the time in the evaluation's own data: a hook is called by many goroutines at once.
func (logHook) BeforeEvaluation(context.Context, cleat.HookEvaluation) (cleat.HookData, error) {
	return cleat.HookData{"began": time.Now()}, nil
}

func (h logHook) AfterEvaluation(
	ctx context.Context, evaluation cleat.HookEvaluation, data cleat.HookData, detail ldreason.EvaluationDetail,
) error {
	began, found := data["began"].(time.Time)
	if !found {
		return errors.New("no time of the beginning") // logged by the client; the caller gets the flag's value all the same
	}
	level := slog.LevelInfo
	if detail.Reason.GetKind() == ldreason.EvalReasonError {
		level = slog.LevelWarn
	}
	h.logger.Log(ctx, level, "flag evaluated", "flag", evaluation.FlagKey, "value", detail.Value.String(),
		"reason", detail.Reason.String(), "took", time.Since(began))
	return nil
}

func (h logHook) AfterTrack(ctx context.Context, event cleat.HookTrack) error {
	h.logger.InfoContext(ctx, "event", "key", event.Key, "metric", event.Metric)
	return nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: hooks FLAG-FILE")
	}
	if err := run(context.Background(), slog.Default(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, logger *slog.Logger, flagFile string) (err error) {
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{flagFile}}),
		Hooks:      []cleat.Hook{logHook{logger: logger}},
		Logger:     logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	visitor := ldcontext.New("ana")
	client.IntVariation(ctx, "cart-max-lines", visitor, 50)
	client.BoolVariation(ctx, "no-such-flag", visitor, false)
	return client.Track(ctx, "bought", visitor)
}
