package consulstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/consul/api"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

var (
	_ core.BigSegmentStore  = (*BigSegments)(nil)
	_ core.BigSegmentWriter = (*BigSegments)(nil)
)

// BigSegments keeps the memberships of big segments in Consul, in a layout of cleat's own: LaunchDarkly has none. It is safe
// for concurrent use; make one with [NewBigSegments] or [OpenBigSegments].
//
// Each context that is in any big segment is one key, so that this suits thousands of contexts rather than millions.
type BigSegments struct{ kv *kv }

// NewBigSegments makes a big segment store on a client of the caller's, in the way of [New].
func NewBigSegments(ctx context.Context, client *api.Client, opts *Options) (*BigSegments, error) {
	opts, err := opts.forBigSegments()
	if err != nil {
		return nil, err
	}
	kv, err := newKV(ctx, client, opts)
	if err != nil {
		return nil, err
	}
	return &BigSegments{kv}, nil
}

// OpenBigSegments makes a big segment store with a client of its own, in the way of [Open].
func OpenBigSegments(ctx context.Context, opts *Options) (*BigSegments, error) {
	opts, err := opts.forBigSegments()
	if err != nil {
		return nil, err
	}
	kv, err := openKV(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &BigSegments{kv}, nil
}

// Metadata implements [core.BigSegmentStore] with one request. A time that is no number is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	key := b.kv.keys.synchronizedOn()
	pair, err := b.kv.read(ctx, key, key, b.kv.options.Consistency)
	if err != nil || pair == nil || len(pair.Value) == 0 {
		return core.BigSegmentMetadata{}, err
	}
	at, err := strconv.ParseUint(string(pair.Value), 10, 63)
	if err != nil {
		return core.BigSegmentMetadata{}, corrupt(key, "it must be a time in Unix milliseconds", err)
	}
	return core.BigSegmentMetadata{LastUpToDate: ldtime.UnixMillisecondTime(at)}, nil
}

// Membership implements [core.BigSegmentStore] with one request. A value that is no membership is an error wrapping
// [core.ErrCorrupt].
func (b *BigSegments) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	key := b.kv.keys.user(contextHash)
	pair, err := b.kv.read(ctx, key, key, b.kv.options.Consistency)
	if err != nil || pair == nil {
		return core.BigSegmentMembership{}, err
	}
	stored, err := parseMembership(pair)
	if err != nil {
		return core.BigSegmentMembership{}, err
	}
	return core.NewBigSegmentMembership(stored.Included, stored.Excluded), nil
}

// Cursor implements [core.BigSegmentWriter] with one request.
func (b *BigSegments) Cursor(ctx context.Context) (string, error) {
	key := b.kv.keys.cursor()
	pair, err := b.kv.read(ctx, key, key, ConsistencyDefault)
	if err != nil || pair == nil {
		return "", err
	}
	return string(pair.Value), nil
}

// SetLastUpToDate implements [core.BigSegmentWriter] with one request.
func (b *BigSegments) SetLastUpToDate(ctx context.Context, at ldtime.UnixMillisecondTime) error {
	if err := b.kv.begin(ctx); err != nil {
		return err
	}
	key := b.kv.keys.synchronizedOn()
	if err := b.kv.put(ctx, key, []byte(strconv.FormatUint(uint64(at), 10))); err != nil {
		return b.kv.notWritten(ctx, key, err)
	}
	return nil
}

// Close implements [core.BigSegmentStore] in the way of [Store.Close].
func (b *BigSegments) Close() error {
	b.kv.close()
	return nil
}

// membership is the JSON form of what is stored for a context.
type membership struct {
	Included []string `json:"included"`
	Excluded []string `json:"excluded"`
}

func parseMembership(pair *api.KVPair) (membership, error) {
	var stored membership
	if err := json.Unmarshal(pair.Value, &stored); err != nil {
		return membership{}, corrupt(pair.Key, `it must be {"included":[…],"excluded":[…]}`, err)
	}
	return stored, nil
}

func corrupt(key, want string, err error) error {
	return &storeError{fmt.Sprintf("consulstore: reading %s: %v: %s: %v", key, core.ErrCorrupt, want, err), core.ErrCorrupt, err}
}
