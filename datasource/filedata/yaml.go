package filedata

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/cleatdev/cleat/internal/wrongtype"
	"github.com/cleatdev/cleat/internal/yamlversion"
)

// parseYAML reads a YAML file.
func parseYAML(data []byte) (document, error) {
	root, err := yamlRoot(data)
	if err != nil {
		return document{}, err
	}
	c := newYAMLConverter(len(data))
	doc := document{line: root.Line}
	err = c.mapping(root, "the file", func(name string, line int, value *yaml.Node) error {
		if !isSection(name) {
			doc.unknown = append(doc.unknown, property{name, line})
			return nil
		}
		return c.section(&doc, name, value)
	})
	return doc, err
}

// yamlRoot returns the root of the only document in the file.
func yamlRoot(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(yamlversion.Accepted(data)))
	var first, second yaml.Node
	if err := decoder.Decode(&first); errors.Is(err, io.EOF) {
		return nil, errEmpty
	} else if err != nil {
		return nil, err
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, errorAt(second.Line, "a second YAML document begins; only one is allowed")
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	root := first.Content[0]
	if isNull(root) {
		return nil, errEmpty
	}
	return root, nil
}

func (c *yamlConverter) section(doc *document, section string, value *yaml.Node) error {
	doc.sections = true
	if isNull(value) {
		return nil
	}
	return c.mapping(value, `"`+section+`"`, func(key string, line int, value *yaml.Node) error {
		json, err := c.json(value)
		doc.entries = append(doc.entries, entry{section: section, key: key, json: json, line: line, value: yamlPlace{value}})
		return err
	})
}

func isNull(node *yaml.Node) bool {
	node = dereference(node)
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// yamlPlace is a value as it stands in a YAML file.
type yamlPlace struct{ node *yaml.Node }

// lineOf returns the line of the innermost value on the path that is there. What is merged stands elsewhere.
func (p yamlPlace) lineOf(wrong *wrongtype.Error) int {
	node, line := p.node, p.node.Line
	for _, step := range wrong.Path {
		if node = child(dereference(node), step); node == nil {
			break
		}
		line = node.Line
	}
	return line
}

// child returns the property of a mapping with the name that step is, or the element of a sequence with that index; nil if there
// is none.
func child(node *yaml.Node, step any) *yaml.Node {
	if index, ok := step.(int); ok {
		if node.Kind == yaml.SequenceNode && index < len(node.Content) {
			return node.Content[index]
		}
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if dereference(node.Content[i]).Value == step {
			return node.Content[i+1]
		}
	}
	return nil
}
