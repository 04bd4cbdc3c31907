package consulstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/internal/livefile"
)

const (
	// Servers accept 128 operations in a transaction, and accepted 64 before Consul 1.14.
	maxOperations      = 128
	maxOperationsOfOld = 64
)

// kv makes requests to Consul. Which keys go into the path of a URL and which into the body of a transaction is known here
// and nowhere else.
type kv struct {
	client    *api.Client
	transport transport               // nil with a client of the caller's
	token     *livefile.Value[string] // nil if the client knows the token
	options   Options
	keys      keys

	closing context.Context // ends when Close begins
	cancel  context.CancelFunc

	// limit is how many operations a transaction may have. It begins with what servers of today accept, and falls when
	// one refuses that.
	limit atomic.Int64
	old   atomic.Bool // the server is older than Consul 1.16 and does not know the verb get-or-empty
}

func (k *kv) close() {
	k.cancel()
	if k.transport != nil {
		k.transport.CloseIdleConnections()
	}
}

func (k *kv) maxOps() int { return int(k.limit.Load()) }

func (k *kv) maxSize() int { return k.options.MaxTransactionSize }

// query returns the options of a request that reads. After Close, there are none.
func (k *kv) query(ctx context.Context, mode Consistency) (*api.QueryOptions, error) {
	if k.closing.Err() != nil {
		return nil, errClosed()
	}
	query := &api.QueryOptions{
		Datacenter: k.options.Datacenter, Namespace: k.options.Namespace, Partition: k.options.Partition,
		AllowStale: mode == ConsistencyStale, RequireConsistent: mode == ConsistencyConsistent,
	}
	if k.token != nil {
		query.Token = k.token.Current()
	}
	return query.WithContext(ctx), nil
}

// writeOptions is query for a request that writes.
func (k *kv) writeOptions(ctx context.Context) (*api.WriteOptions, error) {
	query, err := k.query(ctx, ConsistencyDefault)
	if err != nil {
		return nil, err
	}
	options := &api.WriteOptions{
		Datacenter: query.Datacenter, Namespace: query.Namespace, Partition: query.Partition, Token: query.Token,
	}
	return options.WithContext(ctx), nil
}

// read is a whole call that gets a key.
func (k *kv) read(ctx context.Context, what, key string, mode Consistency) (*api.KVPair, error) {
	if err := k.begin(ctx); err != nil {
		return nil, err
	}
	pair, err := k.get(ctx, key, mode)
	if err != nil {
		return nil, k.notRead(ctx, what, err)
	}
	return pair, nil
}

// get reads a key in one request. It returns nil if there is none.
func (k *kv) get(ctx context.Context, key string, mode Consistency) (*api.KVPair, error) {
	if !fitsPath(key) {
		found, err := k.getMany(ctx, []string{key}, mode)
		return found[key], err
	}
	query, err := k.query(ctx, mode)
	if err != nil {
		return nil, err
	}
	pair, _, err := k.client.KV().Get(key, query)
	return pair, err
}

// getMany reads keys in one request for every 64. It leaves out those that are not there.
func (k *kv) getMany(ctx context.Context, keys []string, mode Consistency) (map[string]*api.KVPair, error) {
	found := make(map[string]*api.KVPair, len(keys))
	verb := api.KVGetOrEmpty
	if k.old.Load() {
		verb = api.KVGetTree // A key that is not there undoes a transaction that gets it; a directory that is not there does not.
	}
	ops := make([]txnOp, len(keys))
	for i, key := range keys {
		ops[i] = k.op(verb, key, nil, 0)
	}
	for _, batch := range pack(ops, maxOperationsOfOld, k.maxSize()) {
		pairs, meta, err := k.readTransaction(ctx, mode, batch...)
		var unknown *rollbackError
		switch {
		case errors.As(err, &unknown) && verb == api.KVGetOrEmpty:
			k.old.Store(true)
			return k.getMany(ctx, keys, mode)
		case err != nil:
			return nil, err
		case verb == api.KVGetOrEmpty && len(pairs) < len(batch):
			return nil, errHidden
		}
		for _, pair := range pairs {
			if pair.ModifyIndex != 0 {
				found[pair.Key] = pair
			}
		}
		if len(found) == 0 && (verb == api.KVGetTree || k.elsewhere()) {
			if err := k.believeNothing(ctx, meta, k.keys.inited(), mode); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// elsewhere reports whether the keys are in a namespace or partition, which a server that is not one of Consul Enterprise passes
// over in the operation of a transaction.
func (k *kv) elsewhere() bool { return k.options.Namespace != "" || k.options.Partition != "" }

// believeNothing returns an error if there is nothing because the token has no permission to see it, or because of the server.
// Reading another key, which has to be one for a URL, shows the difference.
func (k *kv) believeNothing(ctx context.Context, meta *api.QueryMeta, other string, mode Consistency) error {
	doubtful := meta.DefaultACLPolicy == "deny" || k.elsewhere()
	if !doubtful || !fitsPath(other) {
		return nil
	}
	_, err := k.get(ctx, other, mode)
	return err
}

// list reads all keys that begin with the directory's, which ends in a slash.
func (k *kv) list(ctx context.Context, directory string, mode Consistency) ([]*api.KVPair, error) {
	if !fitsPath(directory) {
		pairs, _, err := k.readTransaction(ctx, mode, k.op(api.KVGetTree, directory, nil, 0))
		return pairs, err
	}
	query, err := k.query(ctx, mode)
	if err != nil {
		return nil, err
	}
	pairs, meta, err := k.client.KV().List(directory, query)
	switch {
	case err != nil:
		return nil, err
	case meta.ResultsFilteredByACLs:
		return nil, errHidden
	case len(pairs) == 0:
		return nil, k.believeNothing(ctx, meta, directory, mode)
	}
	return pairs, nil
}

// readTransaction runs operations that only read, in one request.
func (k *kv) readTransaction(ctx context.Context, mode Consistency, ops ...txnOp) ([]*api.KVPair, *api.QueryMeta, error) {
	query, err := k.query(ctx, mode)
	if err != nil {
		return nil, nil, err
	}
	converted := make(api.TxnOps, len(ops))
	for i, op := range ops {
		converted[i] = &api.TxnOp{KV: &api.KVTxnOp{
			Verb: op.KV.Verb, Key: op.KV.Key, Namespace: op.KV.Namespace, Partition: op.KV.Partition,
		}}
	}
	ok, response, meta, err := k.client.Txn().Txn(converted, query)
	switch {
	case err != nil:
		return nil, nil, err
	case !ok:
		return nil, meta, &rollbackError{response.Errors}
	case meta.ResultsFilteredByACLs:
		return nil, nil, errHidden
	}
	return pairsOf(response), meta, nil
}

// transact runs operations that write, in one request, and returns what it says about the keys written, which is everything
// but the values. It uses the driver's raw interface, because the other one does not tell the status of an answer.
func (k *kv) transact(ctx context.Context, ops []txnOp) ([]*api.KVPair, error) {
	options, err := k.writeOptions(ctx)
	if err != nil {
		return nil, err
	}
	var response api.TxnResponse
	_, err = k.client.Raw().Write("/v1/txn", ops, &response, options)
	var status api.StatusError
	if errors.As(err, &status) && status.Code == http.StatusConflict {
		var conflict api.TxnResponse
		if json.Unmarshal([]byte(status.Body), &conflict) == nil {
			return nil, &rollbackError{conflict.Errors}
		}
	}
	if err != nil {
		return nil, err
	}
	return pairsOf(&response), nil
}

func pairsOf(response *api.TxnResponse) []*api.KVPair {
	pairs := make([]*api.KVPair, 0, len(response.Results))
	for _, result := range response.Results {
		if result.KV != nil {
			pairs = append(pairs, result.KV)
		}
	}
	return pairs
}

// put writes a key, whatever is there.
func (k *kv) put(ctx context.Context, key string, value []byte) error {
	if !fitsPath(key) {
		_, err := k.transact(ctx, []txnOp{k.op(api.KVSet, key, value, 0)})
		return err
	}
	options, err := k.writeOptions(ctx)
	if err != nil {
		return err
	}
	_, err = k.client.KV().Put(&api.KVPair{Key: key, Value: value}, options)
	return err
}

// putIf writes a key if it was last modified at the index, for which 0 means that it is not there, and reports whether it did.
func (k *kv) putIf(ctx context.Context, key string, value []byte, index uint64) (bool, error) {
	options, err := k.writeOptions(ctx)
	if err != nil {
		return false, err
	}
	written, _, err := k.client.KV().CAS(&api.KVPair{Key: key, Value: value, ModifyIndex: index}, options)
	return written, err
}

// inParts has run write operations, in smaller parts if the server finds them too large, and alone what is too large as the
// only one. last says that nothing follows.
func (k *kv) inParts(
	ops []txnOp, last bool, run func(ops []txnOp, last bool) error, alone func(op *txnOp, err error) error,
) error {
	err := run(ops, last)
	switch {
	case !tooLarge(err) || len(ops) == 0:
		return err
	case len(ops) == 1:
		return alone(&ops[0], err)
	}
	k.noteRefusal(len(ops))
	half := len(ops) / 2
	if err := k.inParts(ops[:half], false, run, alone); err != nil {
		return err
	}
	return k.inParts(ops[half:], last, run, alone)
}

// noteRefusal notes that the server found a transaction of so many operations too large.
func (k *kv) noteRefusal(ops int) {
	if ops > maxOperationsOfOld && k.limit.Swap(maxOperationsOfOld) != maxOperationsOfOld {
		k.options.Logger.Info("consulstore: the server takes fewer operations in a transaction than servers since Consul 1.14 do",
			"refused", ops, "from now on", maxOperationsOfOld)
		return
	}
	k.options.Logger.Warn("consulstore: the server found a transaction too large, which is now sent in parts; "+
		"MaxTransactionSize in the options should be the server's txn_max_req_len", "MaxTransactionSize", k.maxSize())
}

// op makes an operation of a transaction.
func (k *kv) op(verb api.KVOp, key string, value []byte, index uint64) txnOp {
	return txnOp{kvOp{
		Verb: verb, Key: key, Value: value, Index: index, Namespace: k.options.Namespace, Partition: k.options.Partition,
	}}
}

// txnOp is an operation of a transaction in the form of Consul's HTTP interface. The driver's own form has more fields and
// is longer.
type txnOp struct{ KV kvOp }

type kvOp struct {
	Verb      api.KVOp
	Key       string
	Value     []byte `json:",omitempty"`
	Index     uint64 `json:",omitempty"`
	Namespace string `json:",omitempty"`
	Partition string `json:",omitempty"`
}

// size returns how many bytes the JSON form of the operation has at most, a comma included.
func (o *txnOp) size() int {
	const frame = len(`{"KV":{"Verb":"check-not-exists","Key":"","Value":"","Index":18446744073709551615,"Namespace":"","Partition":""}},`)
	return frame + escapedLen(o.KV.Key) + base64.StdEncoding.EncodedLen(len(o.KV.Value)) +
		escapedLen(o.KV.Namespace) + escapedLen(o.KV.Partition)
}

// escapedLen returns how long a text is in JSON at most, without the quotation marks.
func escapedLen(text string) int {
	length := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\':
			length += len(`\`)
		case c < ' ', c == '<', c == '>', c == '&':
			length += len(`\u0000`) - 1
		case c == "\u2028"[0]: // The line separators are escaped, and other characters that begin like them are not.
			length += len(`\u2028`) - len("\u2028")
		}
	}
	return length
}

// frameSize is what a transaction has besides its operations: brackets and a line end.
const frameSize = len("[]\n")

// pack divides operations into transactions. An operation that is too large for any is alone.
func pack(ops []txnOp, maxOps, maxSize int) [][]txnOp {
	var batches [][]txnOp
	begin, size := 0, frameSize
	for i := range ops {
		opSize := ops[i].size()
		if i > begin && (i-begin == maxOps || size+opSize > maxSize) {
			batches = append(batches, ops[begin:i])
			begin, size = i, frameSize
		}
		size += opSize
	}
	if begin < len(ops) {
		batches = append(batches, ops[begin:])
	}
	return batches
}

// fitsOne reports whether the operations fit in one transaction.
func fitsOne(ops []txnOp, maxOps, maxSize int) bool {
	size := frameSize
	for i := range ops {
		size += ops[i].size()
	}
	return len(ops) <= maxOps && size <= maxSize
}
