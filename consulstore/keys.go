package consulstore

import (
	"path"
	"strings"
	"unicode"

	"github.com/cleatdev/cleat/core"
)

const usersDirectory = "big_segments_user"

// maxKeySize is how many bytes the key of an item may have. The server knows no limit of its own; this one keeps a key far
// from the size of a transaction.
const maxKeySize = 64 << 10

// keys makes the names of Consul's keys under one prefix.
type keys struct{ prefix string }

func (k keys) name(suffix string) string {
	if k.prefix == "" {
		return suffix
	}
	return k.prefix + "/" + suffix
}

// directory is what the keys of all items of a kind begin with. It ends in a slash, so that it is not the beginning of
// anything else.
func (k keys) directory(kind core.DataKind) string { return k.name(string(kind)) + "/" }

func (k keys) item(kind core.DataKind, key string) string { return k.directory(kind) + key }

func (k keys) inited() string { return k.name("$inited") }

func (k keys) synchronizedOn() string { return k.name("big_segments_synchronized_on") }

func (k keys) cursor() string { return k.name("big_segments_cursor") }

// user is where the membership of a context hash is. A hash is standard Base64, of which two characters are exchanged for
// those of the URL-safe form. What has these already is no such hash; it is marked, so that no two hashes share a key.
func (k keys) user(contextHash string) string {
	if strings.ContainsAny(contextHash, "-_~") {
		return k.name(usersDirectory + "/~" + contextHash)
	}
	return k.name(usersDirectory + "/" + strings.NewReplacer("+", "-", "/", "_").Replace(contextHash))
}

// maxPathLength keeps paths within what proxies accept.
const maxPathLength = 4 << 10

// fitsPath reports whether a key can be the end of a URL's path. Servers refuse paths that have unprintable characters and
// redirect those that look untidy; such keys go into the body of a transaction instead.
func fitsPath(key string) bool {
	if key == "" || len(key) > maxPathLength {
		return false
	}
	for _, r := range key {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	clean := path.Clean("/" + key)
	return clean[1:] == key || clean+"/" == "/"+key && key != "/"
}
