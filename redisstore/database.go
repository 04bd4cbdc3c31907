package redisstore

import (
	"context"
	"crypto/sha1" // It is how Redis names scripts.
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

// database is what a [Store] and a [BigSegments] have in common: the names of keys, and a client.
type database struct {
	keys
	options Options
	client  redis.UniversalClient
	owned   bool
	spread  bool // over the slots of a Cluster, so that no command or script may name two keys

	closing context.Context // ends when Close begins
	cancel  context.CancelFunc

	mu         sync.Mutex // guards closed, and that nothing begins in the background after it
	closed     bool
	background sync.WaitGroup // watches, and listeners to Sentinels
}

func newDatabase(ctx context.Context, opts *Options) (*database, error) {
	if ctx == nil {
		return nil, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &database{keys: keys{options.Prefix}, options: options}
	d.closing, d.cancel = context.WithCancel(context.Background())
	return d, nil
}

// use sets the client.
func (d *database) use(client redis.UniversalClient, owned bool) *database {
	_, cluster := client.(*redis.ClusterClient)
	d.client, d.owned, d.spread = client, owned, cluster && !d.oneSlot()
	return d
}

// useDatabase is for a client of the caller's.
func useDatabase(ctx context.Context, client redis.UniversalClient, opts *Options) (*database, error) {
	d, err := newDatabase(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := d.check(client); err != nil {
		d.cancel()
		return nil, fmt.Errorf("redisstore: %w: %w", core.ErrInvalid, err)
	}
	return d.use(client, false), nil
}

// open is for a client of the store's own.
func open[S any](ctx context.Context, rawURL string, opts *Options, store func(*database) S) (S, error) {
	var none S
	t, err := parseURL(rawURL)
	if err != nil {
		return none, err
	}
	return openTarget(ctx, t, opts, store)
}

func openURL[S any](ctx context.Context, u *url.URL, opts *Options, store func(*database) S) (S, error) {
	var none S
	t, err := newTarget(u)
	if err != nil {
		return none, err
	}
	return openTarget(ctx, t, opts, store)
}

func openTarget[S any](ctx context.Context, t *target, opts *Options, store func(*database) S) (S, error) {
	var none S
	d, err := newDatabase(ctx, opts)
	if err != nil {
		return none, err
	}
	client, err := t.newClient(d)
	if err != nil {
		d.cancel()
		return none, err
	}
	return store(d.use(client, true)), nil
}

// check returns an error unless a client of the caller's can be used.
func (d *database) check(client redis.UniversalClient) error {
	bounded, missing := true, client == nil
	switch c := client.(type) {
	case *redis.Client:
		missing = c == nil
		bounded = missing || c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		missing = c == nil
		bounded = missing || c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		missing = c == nil
		bounded = missing || c.Options().ContextTimeoutEnabled
		if !missing && !d.oneSlot() {
			return fmt.Errorf("a redis.Ring needs a prefix with a hash tag, such as %q, which keeps all keys on one server", "{"+d.prefix+"}")
		}
	}
	switch o := &d.options; {
	case missing:
		return errors.New("the client is nil")
	case !bounded:
		return errors.New("the client's ContextTimeoutEnabled is not set, so that it would not end calls when their time is over; set it")
	case o.LiveTLS != nil:
		return errors.New("Options.TLS and LiveTLS are for Open; the client given has its own")
	case o.Credentials != nil || o.SentinelCredentials != nil:
		return errors.New("Options.Credentials and SentinelCredentials are for Open; the client given has its own")
	}
	return nil
}

// admit returns an error unless a call can be made.
func (d *database) admit(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errNilContext()
	case d.closing.Err() != nil:
		return errClosed()
	}
	return ctx.Err()
}

// beginBackground counts what Close waits for, unless the store is closed. After it, background.Done must be called.
func (d *database) beginBackground() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.background.Add(1)
	}
	return !d.closed
}

// close ends what runs in the background and waits for it, and then closes a client of the store's own, which ends what is in flight.
func (d *database) close() error {
	d.mu.Lock()
	again := d.closed
	d.closed = true
	d.mu.Unlock()
	if again {
		return nil
	}
	d.cancel()
	d.background.Wait()
	if !d.owned {
		return nil
	}
	if err := d.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("redisstore: closing the client: %w", err)
	}
	return nil
}

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
// would find its own work and report it as another process's.
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
	_ = pause.For(ctx, slotMovesPause)
	return ctx.Err() == nil
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
