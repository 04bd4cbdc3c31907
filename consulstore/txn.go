package consulstore

import (
	"encoding/base64"
	"encoding/json"

	"github.com/hashicorp/consul/api"
)

const (
	// Servers accept 128 operations in a transaction, and accepted 64 before Consul 1.14.
	maxOperations      = 128
	maxOperationsOfOld = 64
)

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

// escapedLen returns the length of a text in JSON without the quotation marks.
func escapedLen(text string) int {
	if isPlain(text) {
		return len(text)
	}
	encoded, err := json.Marshal(text)
	if err != nil { // It never happens to a string; no character needs more than this.
		return 6 * len(text)
	}
	return len(encoded) - len(`""`)
}

// isPlain reports whether nothing in the text is escaped in JSON.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
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
