package redisstore

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
)

// dialGuard does for a client that asks Sentinels where to dial what newDialer does for every other: dialling ends when
// closing does, and fails with a connection on which everything fails.
type dialGuard struct{ closing context.Context }

// DialHook implements redis.Hook.
func (g dialGuard) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(toPrimary(ctx))
		defer cancel()
		defer context.AfterFunc(g.closing, cancel)()
		conn, err := next(ctx, network, address)
		if err != nil {
			return failedConn{fmt.Errorf("connecting: %w", err)}, nil
		}
		return conn, nil
	}
}

// ProcessHook implements redis.Hook.
func (dialGuard) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (dialGuard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// topologyDeadline is a deadline for the question which node has which slots. The driver asks it in the background and
// without one, and as long as a node does not answer it asks no other.
type topologyDeadline time.Duration

// DialHook implements redis.Hook.
func (topologyDeadline) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (d topologyDeadline) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "cluster" {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(d))
			defer cancel()
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook implements redis.Hook.
func (topologyDeadline) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
