package filedata

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/cleatdev/cleat/internal/wrongtype"
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
	line    int // of the key
	value   locator
}

// locator finds the lines of what is inside an entry's value.
type locator interface {
	lineOf(wrong *wrongtype.Error) int
}

// property is a property of a file that is not a section.
type property struct {
	name string
	line int
}

// document is what a file says.
type document struct {
	line     int  // where it begins
	sections bool // it has one at least
	entries  []entry
	unknown  []property
}

// maxNamed is how many properties an error names.
const maxNamed = 5

var (
	errEmpty   = errors.New(`the file is empty; a file without flags holds {"flags": {}}`)
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
	parse := parseJSON
	if isYAML(path, data) {
		parse = parseYAML
	}
	doc, err := parse(data)
	if err == nil {
		err = doc.check()
	}
	return doc, err
}

// check refuses what is no flag data file. Taken for one without flags, it would empty everything.
func (d *document) check() error {
	if d.sections {
		return nil
	}
	line := d.line
	if len(d.unknown) > 0 {
		line = d.unknown[0].line
	}
	return errorAt(line, `there is no %q, %q or %q, only %s; a file without flags holds {"flags": {}}`,
		sectionFlags, sectionFlagValues, sectionSegments, names(d.unknown))
}

func names(properties []property) string {
	if len(properties) == 0 {
		return "{}"
	}
	var quoted []string
	for _, p := range properties[:min(len(properties), maxNamed)] {
		quoted = append(quoted, fmt.Sprintf("%.50q", p.name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(properties) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
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
