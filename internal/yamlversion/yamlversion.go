// Package yamlversion lets go.yaml.in/yaml/v3 read files that declare the version of YAML that most tools write.
package yamlversion

import (
	"bytes"
	"regexp"
)

// head matches the directives, comments and empty lines that a file begins with, up to a version that is 1.2.
var head = regexp.MustCompile(`\A(?:\x{FEFF})?(?:[ \t]*(?:#[^\r\n]*)?\r?\n|%[A-Z]+[^\r\n]*\r?\n)*?%YAML[ \t]+1\.(2)(?:[ \t]+#[^\r\n]*|[ \t]*)\r?\n`)

// Accepted returns the text with "%YAML 1.2" at its head replaced by "%YAML 1.1", the only version that the package accepts; what it
// reads is the same with and without. Lines and offsets stay, and the given text is not changed.
func Accepted(text []byte) []byte {
	found := head.FindSubmatchIndex(text)
	if found == nil {
		return text
	}
	accepted := bytes.Clone(text)
	accepted[found[2]] = '1'
	return accepted
}
