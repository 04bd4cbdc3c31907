package filedata

import (
	"bytes"
	"errors"
	"io"

	"go.yaml.in/yaml/v3"
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
	decoder := yaml.NewDecoder(bytes.NewReader(data))
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
		doc.entries = append(doc.entries, entry{section: section, key: key, json: json, line: line})
		return err
	})
}

func isNull(node *yaml.Node) bool {
	node = dereference(node)
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}
