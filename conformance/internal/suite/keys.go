package suite

import (
	"fmt"
	"math/rand/v2"
)

// RandomPrefix returns a prefix that no other test uses, also in another process on the same database.
func RandomPrefix() string { return fmt.Sprintf("conformance-%016x", rand.Uint64()) }

// AwkwardKeys returns keys that mean something to one database or another, or to a shell, a pattern or a URL.
func AwkwardKeys() []string {
	return []string{
		"plain", "with:colon", ":", "a:b:c", "with/slash", "/", "a//b", "/leading", "trailing/", "../up", ".", "..",
		"*", "star*star", "?", "quest?ion", "[", "[a-z]", "]", "{tag}", "{", "}", "(", ")", "%", "100%", "%2F", "_", "a_b",
		" ", " leading", "trailing ", "two  spaces", "tab\there", "new\nline", "carriage\rreturn", "\r\n",
		`"`, `"quoted"`, `it's`, "`", `\`, `back\slash`, `\\`, `\n`, "$inited", "$", "#", "&", "+", "=", ";", ",", "|", "<>", "~", "^",
		"é", "日本語", "мир", "עברית", "🏴‍☠️", "👩‍👩‍👧", "a\u200bb", "\u2028", "\u0001", "\u007f", "0", "-1", "1e3", "null", "true",
	}
}
