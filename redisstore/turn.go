package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// turn is the place of an Init among all those that began, if every kind is in another slot. The scripts leave its number
// beside each kind that they write, and refuse one that is smaller than what they find. So the Init that began last writes
// all of its kinds, and those before it stop where they meet it.
type turn struct {
	key      string
	number   string
	lifetime time.Duration // of the numbers: longer than any Init that may still meet them
}

// begin takes the next number. That is no less than the time in microseconds, so that it is the greatest also if the last one
// was lost.
func (t *turn) begin(ctx context.Context, client redis.UniversalClient) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	reply, err := runScript(ctx, client, beginScript, []string{t.key}, time.Now().UnixMicro(), t.lifetime.Milliseconds())
	if err != nil {
		return err
	}
	answer, ok := reply.([]any)
	if !ok || len(answer) != 2 {
		return fmt.Errorf("%s: the script answered %v", t.key, reply)
	}
	t.number, _ = answer[0].(string)
	lifetime, _ := answer[1].(string)
	milliseconds, err := strconv.ParseInt(lifetime, 10, 64)
	t.lifetime = time.Duration(milliseconds) * time.Millisecond
	return err
}
