package filedata

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/launchdarkly/go-jsonstream/v3/jwriter"
	"go.yaml.in/yaml/v3"
)

// yamlConverter writes YAML nodes as JSON. It works on nodes and not on decoded values because these would have lost the
// digits of a number, and the property "on", which older YAML takes for a boolean.
type yamlConverter struct {
	budget int // how many more nodes may be converted
}

// Limits that no file reaches whose aliases do not multiply or contain themselves.
const (
	maxYAMLDepth = 1000
	minYAMLNodes = 1_000_000
)

func newYAMLConverter(size int) *yamlConverter {
	return &yamlConverter{budget: max(minYAMLNodes, 2*size)}
}

func (c *yamlConverter) json(node *yaml.Node) ([]byte, error) {
	w := jwriter.NewWriter()
	if err := c.write(&w, node, 0); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

func (c *yamlConverter) write(w *jwriter.Writer, node *yaml.Node, depth int) error {
	if c.budget--; c.budget < 0 || depth > maxYAMLDepth {
		return errorAt(node.Line, "nested too deeply, or too many aliases")
	}
	switch node = dereference(node); node.Kind {
	case yaml.MappingNode:
		return c.writeMapping(w, node, depth)
	case yaml.SequenceNode:
		array := w.Array()
		defer array.End()
		for _, element := range node.Content {
			if err := c.write(w, element, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return writeScalar(w, node)
	}
}

func (c *yamlConverter) writeMapping(w *jwriter.Writer, node *yaml.Node, depth int) error {
	object := w.Object()
	defer object.End()
	written := map[string]bool{}
	return c.mapping(node, "", func(key string, line int, value *yaml.Node) error {
		if written[key] {
			return errorAt(line, "%q is there twice", key)
		}
		written[key] = true
		return c.write(object.Name(key), value, depth+1)
	})
}

// mapping calls member for each property of a mapping, those that it gets by merging ("<<") after its own.
func (c *yamlConverter) mapping(node *yaml.Node, what string, member func(string, int, *yaml.Node) error) error {
	node = dereference(node)
	if node.Kind != yaml.MappingNode {
		return errorAt(node.Line, "%s must be a mapping", what)
	}
	own := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := dereference(node.Content[i]), node.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			return errorAt(key.Line, "a key must be a string")
		}
		own[key.Value] = true
		if err := member(key.Value, key.Line, value); err != nil {
			return err
		}
	}
	for _, source := range merged {
		if err := c.merge(source, own, member, 0); err != nil {
			return err
		}
	}
	return nil
}

// merge calls member for the properties of a merged mapping, or sequence of mappings, whose names are not known yet.
func (c *yamlConverter) merge(
	source *yaml.Node, known map[string]bool, member func(string, int, *yaml.Node) error, depth int,
) error {
	source = dereference(source)
	if c.budget -= 1 + len(source.Content); c.budget < 0 || depth > maxYAMLDepth {
		return errorAt(source.Line, "nested too deeply, or too many aliases")
	}
	if source.Kind == yaml.SequenceNode {
		for _, element := range source.Content {
			if err := c.merge(element, known, member, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if source.Kind != yaml.MappingNode {
		return errorAt(source.Line, `"<<" needs a mapping or a sequence of mappings`)
	}
	for i := 0; i+1 < len(source.Content); i += 2 {
		key, value := dereference(source.Content[i]), source.Content[i+1]
		if key.ShortTag() == "!!merge" {
			if err := c.merge(value, known, member, depth+1); err != nil {
				return err
			}
			continue
		}
		if known[key.Value] {
			continue
		}
		known[key.Value] = true
		if err := member(key.Value, key.Line, value); err != nil {
			return err
		}
	}
	return nil
}

func writeScalar(w *jwriter.Writer, node *yaml.Node) error {
	switch node.ShortTag() {
	case "!!null":
		w.Null()
	case "!!bool":
		var value bool
		if err := node.Decode(&value); err != nil {
			return &positionError{line: node.Line, err: err}
		}
		w.Bool(value)
	case "!!int", "!!float":
		return writeNumber(w, node)
	case "!!str", "!!timestamp":
		w.String(node.Value)
	case "!!binary":
		return writeBinary(w, node)
	default:
		return errorAt(node.Line, "tag %q has no meaning in JSON", node.Tag)
	}
	return nil
}

// writeBinary writes what base64 stands for, which JSON can hold only if it is text.
func writeBinary(w *jwriter.Writer, node *yaml.Node) error {
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(node.Value), ""))
	if err != nil {
		return errorAt(node.Line, "the value with the tag !!binary is not base64")
	}
	if !utf8.Valid(text) {
		return errorAt(node.Line, "the value with the tag !!binary is not UTF-8 text, and JSON has no form for anything else")
	}
	w.String(string(text))
	return nil
}

// writeNumber keeps a number's digits if it is written as JSON would write it, and otherwise (hexadecimal, underscores,
// a leading dot or plus) takes its value.
func writeNumber(w *jwriter.Writer, node *yaml.Node) error {
	if json.Valid([]byte(node.Value)) {
		w.Raw([]byte(node.Value))
		return nil
	}
	var integer int64
	if node.ShortTag() == "!!int" && node.Decode(&integer) == nil {
		w.Raw(strconv.AppendInt(nil, integer, 10))
		return nil
	}
	var number float64
	if err := node.Decode(&number); err != nil {
		return &positionError{line: node.Line, err: err}
	}
	if math.IsInf(number, 0) || math.IsNaN(number) {
		return errorAt(node.Line, "%s cannot be expressed in JSON", node.Value)
	}
	text, err := json.Marshal(number)
	if err != nil {
		return &positionError{line: node.Line, err: err}
	}
	w.Raw(text)
	return nil
}

// dereference follows an alias to what it stands for.
func dereference(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
