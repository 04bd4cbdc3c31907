package redisstore

import (
	"context"
	"net"
	"time"
)

// sentinelShare is the part of a time-out that one Sentinel may take for an answer. One that does not answer is asked up to
// five times, by the driver's way of repeating, before all others are asked; and then the primary must be reached.
const sentinelShare = 8

type primaryKey struct{}

// toPrimary marks the context in which a primary is dialled that Sentinels name. The driver dials Sentinels with contexts of
// its own, and has no settings for them alone.
func toPrimary(ctx context.Context) context.Context {
	return context.WithValue(ctx, primaryKey{}, true)
}

// dialSentinels makes a dialer of one for Sentinels and one for primaries. A Sentinel that does not answer is given up early:
// the driver asks the one that answered last, and while that has time left it asks no other.
func dialSentinels(patience time.Duration, ofSentinels, ofPrimaries dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(primaryKey{}) != nil {
			return ofPrimaries(ctx, network, address)
		}
		conn, err := ofSentinels(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return impatientConn{conn, patience}, nil
	}
}

// impatientConn is a connection that waits no longer than so long for an answer. It waits for what is published, for which no
// deadline is set, as before.
type impatientConn struct {
	net.Conn
	patience time.Duration
}

func (c impatientConn) SetReadDeadline(t time.Time) error {
	if soonest := time.Now().Add(c.patience); t.After(soonest) {
		t = soonest
	}
	return c.Conn.SetReadDeadline(t)
}
