package redisstore

import (
	"context"
	"crypto/sha1" // It is how Redis names scripts.
	_ "embed"
	"encoding/hex"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed upsert.lua
	upsertSource string
	//go:embed swap.lua
	swapSource string
	//go:embed patch.lua
	patchSource string
	//go:embed epoch.lua
	epochSource string
	//go:embed fence.lua
	fenceSource string
	//go:embed cursor.lua
	cursorSource string

	upsertScript = newScript(upsertSource)
	swapScript   = newScript(swapSource)
	patchScript  = newScript(patchSource)
	epochScript  = newScript(epochSource)
	fenceScript  = newScript(fenceSource)
	cursorScript = newScript(cursorSource)
)

// slotMovesPause is how long to wait for the keys of a slot that moves.
const slotMovesPause = 50 * time.Millisecond

// script is a script and the digest by which a server knows it once it has run there.
type script struct{ source, digest string }

func newScript(source string) script { return script{source, sha1Hex(source)} }

// once is a command that the driver does not repeat when the connection breaks: it may have run already, and repeated it
// would find its own work and report it as somebody else's.
type once struct{ *redis.Cmd }

// NoRetry implements redis.Cmder.
func (once) NoRetry() bool { return true }

// runScript runs a script by its digest and, if the server does not have it in its cache, by its source. A script that a
// server did not know did not run. It waits for keys that are on their way to another node of a Cluster, which asks for that.
func runScript(
	ctx context.Context, client redis.UniversalClient, script script, keys []string, args ...any,
) (any, error) {
	command, code := "evalsha", script.digest
	for {
		reply, err := evaluate(ctx, client, command, code, keys, args)
		switch {
		case redis.HasErrorPrefix(err, "NOSCRIPT"):
			command, code = "eval", script.source
		case !isMoving(err) || !pauseForMove(ctx):
			return reply, err
		}
	}
}

// isMoving reports whether a command was refused, and so did not run, because its keys are in a slot that moves and not all
// at one node.
func isMoving(err error) bool { return redis.HasErrorPrefix(err, "TRYAGAIN") }

// pauseForMove reports false if the time is over.
func pauseForMove(ctx context.Context) bool {
	pause(ctx, slotMovesPause)
	return ctx.Err() == nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func evaluate(
	ctx context.Context, client redis.UniversalClient, command, script string, keys []string, args []any,
) (any, error) {
	line := make([]any, 0, 3+len(keys)+len(args))
	line = append(line, command, script, len(keys))
	for _, key := range keys {
		line = append(line, key)
	}
	line = append(line, args...)
	cmd := once{redis.NewCmd(ctx, line...)}
	if err := client.Process(ctx, cmd); err != nil {
		return nil, err
	}
	return cmd.Result()
}

func sha1Hex(data string) string {
	sum := sha1.Sum([]byte(data))
	return hex.EncodeToString(sum[:])
}
