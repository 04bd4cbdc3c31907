package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/cleatdev/cleat/internal/yamlversion"
)

// readFile reads a YAML file into the settings.
func (r *reader) readFile(name string, data []byte) {
	root, line, problem := parseYAML(data)
	f := &file{reader: r, name: name}
	switch {
	case problem != "":
		r.refuse(f.at(line), "", problem)
	case root != nil:
		f.section("", root)
	}
}

// parseYAML returns the root of the only document, nil if there is none, or what is wrong and in which line.
func parseYAML(data []byte) (root *yaml.Node, line int, problem string) {
	if i := bytes.IndexFunc(data, isNoText); i >= 0 {
		return nil, lineOf(data[:i]), "this line holds a character that cannot be in a YAML file, which is text in UTF-8"
	}
	decoder := yaml.NewDecoder(bytes.NewReader(yamlversion.Accepted(data)))
	var first, second yaml.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, 0, ""
	} else if err != nil {
		line, problem = syntaxError(err, data)
		return nil, line, problem
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
		return first.Content[0], 0, ""
	case err != nil:
		line, problem = syntaxError(err, data)
		return nil, line, problem
	}
	return nil, second.Line, "expected one YAML document, and a second one begins"
}

// isNoText reports whether the character is a control character, or stands for bytes that are not UTF-8.
func isNoText(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == '\x7f' || r == utf8.RuneError
}

// lineOf returns the number of the line that follows what is before it.
func lineOf(before []byte) int { return bytes.Count(before, []byte("\n")) + 1 }

var (
	lineInMessage = regexp.MustCompile(`^line ([0-9]+): `)
	wordInMessage = regexp.MustCompile(`'([\w-]{2,})'`)
)

// syntaxError returns what to show of an error of the YAML package: the line, and the message without the words in it
// that come from the file. The package counts some lines from 0, and leaves out the number of the first.
func syntaxError(err error, data []byte) (line int, problem string) {
	line = 1
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if found := lineInMessage.FindStringSubmatch(message); found != nil {
		_, _ = fmt.Sscan(found[1], &line) // it consists of digits
		message = message[len(found[0]):]
	}
	if word := wordInMessage.FindStringSubmatch(message); word != nil {
		if before, _, found := bytes.Cut(data, []byte("*"+word[1])); found {
			line = lineOf(before)
		}
		message = wordInMessage.ReplaceAllString(message, "…") + "; a text that begins with * must be in quotes"
	}
	return line, "from here on this is not YAML: " + message
}

// file is a file that is being read.
type file struct {
	*reader
	name string
}

// at returns the source of what is in a line.
func (f *file) at(line int) string { return fmt.Sprintf("%s:%d", f.name, line) }

// section reads the settings whose names begin with the section's name and a dot, or all if the name is empty.
func (f *file) section(section string, node *yaml.Node) {
	prefix, known := f.names(section)
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		f.refuse(f.at(node.Line), section, "expected settings of the form name: value, each in a line; known are "+
			strings.Join(known, ", "))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], dereference(node.Content[i+1])
		if key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value) {
			f.refuse(f.at(key.Line), section, "unknown name"+showName(key)+"; known are "+strings.Join(known, ", "))
			continue
		}
		if first, again := lines[key.Value]; again {
			f.refuse(f.at(key.Line), prefix+key.Value, fmt.Sprintf("it is already set in line %d; keep one of them", first))
			continue
		}
		lines[key.Value] = key.Line
		f.entry(prefix+key.Value, key.Line, value)
	}
}

// names returns what the names of a section's settings begin with, and the names that may stand in it.
func (f *file) names(section string) (prefix string, known []string) {
	if section != "" {
		prefix = section + "."
	}
	for _, s := range f.table {
		if rest, within := strings.CutPrefix(s.name, prefix); within {
			name, _, _ := strings.Cut(rest, ".")
			known = append(known, name)
		}
	}
	slices.Sort(known)
	return prefix, slices.Compact(known)
}

// entry reads one setting or a section.
func (f *file) entry(name string, line int, value *yaml.Node) {
	i := slices.IndexFunc(f.table, func(s setting) bool { return s.name == name })
	if i < 0 {
		f.section(name, value)
		return
	}
	s := f.table[i]
	texts, found := textsOf(value, s.list)
	if found != "" {
		f.refuse(f.at(line), name, "expected "+s.expects+", and found "+found)
		return
	}
	if len(texts) > 0 {
		f.assign(s, texts, origin{source: f.at(line)})
	}
}

// textsOf returns the texts of a value, none if it is empty, or what was found in place of texts.
func textsOf(value *yaml.Node, asList bool) (texts []string, found string) {
	if isNull(value) {
		return nil, ""
	}
	if !asList {
		text, found := textOf(value)
		if text == "" || found != "" {
			return nil, found
		}
		return []string{text}, ""
	}
	if value.Kind != yaml.SequenceNode {
		return nil, "something else than a list such as [a, b]"
	}
	for _, element := range value.Content {
		text, found := textOf(dereference(element))
		if found != "" {
			return nil, found + " in the list"
		}
		texts = append(texts, text)
	}
	return texts, ""
}

func textOf(value *yaml.Node) (text, found string) {
	if value.Kind == yaml.SequenceNode {
		return "", "a list"
	}
	if value.Kind == yaml.MappingNode {
		return "", "a group of settings"
	}
	switch value.Tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp":
		return strings.TrimSpace(value.Value), ""
	}
	return "", "a value with a tag"
}

// plainName matches names that can be shown: misspelt ones, and hardly a key or a password.
var plainName = regexp.MustCompile(`^[a-z_-]{1,30}$`)

func showName(key *yaml.Node) string {
	if !plainName.MatchString(key.Value) {
		return ""
	}
	return " " + key.Value
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func dereference(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
