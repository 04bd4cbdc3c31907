package filedata

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// The properties of a file.
const (
	sectionFlags      = "flags"
	sectionFlagValues = "flagValues"
	sectionSegments   = "segments"
)

// entry is one thing of a section, as JSON.
type entry struct {
	section string
	key     string
	json    []byte
	line    int
}

// property is a property of a file that is not a section.
type property struct {
	name string
	line int
}

// document is what a file says.
type document struct {
	entries []entry
	unknown []property
}

var (
	errEmpty   = errors.New("the file is empty; a file without flags holds {}")
	byteOrder  = []byte("\xef\xbb\xbf")
	errNotUTF8 = errors.New("the file is not UTF-8 text")
)

// parseDocument reads a file's contents in the format that its name, or else its first character, tells.
func parseDocument(path string, data []byte) (document, error) {
	data = bytes.TrimPrefix(data, byteOrder)
	if len(bytes.TrimSpace(data)) == 0 {
		return document{}, errEmpty
	}
	if !utf8.Valid(data) {
		return document{}, &positionError{line: lineOf(data, int64(validPrefix(data))), err: errNotUTF8}
	}
	if isYAML(path, data) {
		return parseYAML(data)
	}
	return parseJSON(data)
}

func isYAML(path string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return false
	case ".yaml", ".yml":
		return true
	default:
		return bytes.TrimSpace(data)[0] != '{'
	}
}

// validPrefix returns how many bytes are valid UTF-8.
func validPrefix(data []byte) int {
	length := 0
	for length < len(data) {
		r, size := utf8.DecodeRune(data[length:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		length += size
	}
	return length
}

func isSection(name string) bool {
	return name == sectionFlags || name == sectionFlagValues || name == sectionSegments
}
