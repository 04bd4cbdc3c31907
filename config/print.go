package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Equal reports whether both say the same, secrets included.
func (s Settings) Equal(other Settings) bool {
	s.normalize()
	other.normalize()
	return reflect.DeepEqual(s, other)
}

// normalize makes empty lists nil.
func (s *Settings) normalize() {
	for _, setting := range s.settings(nil) {
		if !setting.isSet() {
			setting.clear()
		}
	}
}

// String returns what is set as YAML in the form of a configuration file, without secrets.
func (s Settings) String() string {
	text, err := yaml.Marshal(s)
	if err != nil {
		return "config: " + err.Error()
	}
	return string(text)
}

// GoString returns what String does.
func (s Settings) GoString() string { return s.String() }

// MarshalYAML returns what is set in the form of a configuration file, without secrets.
func (s Settings) MarshalYAML() (any, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	sections := map[string]*yaml.Node{"": root}
	for _, setting := range s.set() {
		section, name := splitName(setting.name)
		if sections[section] == nil {
			sections[section] = &yaml.Node{Kind: yaml.MappingNode}
			appendEntry(root, section, sections[section])
		}
		value := &yaml.Node{}
		if err := value.Encode(setting.print()); err != nil {
			return nil, err
		}
		appendEntry(sections[section], name, value)
	}
	return root, nil
}

func appendEntry(mapping *yaml.Node, name string, value *yaml.Node) {
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, value)
}

// MarshalJSON returns what MarshalYAML does, as JSON.
func (s Settings) MarshalJSON() ([]byte, error) {
	root := map[string]any{}
	for _, setting := range s.set() {
		section, name := splitName(setting.name)
		entries := root
		if section != "" {
			if root[section] == nil {
				root[section] = map[string]any{}
			}
			entries = root[section].(map[string]any)
		}
		entries[name] = setting.print()
	}
	return json.Marshal(root)
}

// set returns the settings that are set.
func (s *Settings) set() (set []setting) {
	for _, setting := range s.settings(nil) {
		if setting.isSet() {
			set = append(set, setting)
		}
	}
	return set
}

func splitName(name string) (section, rest string) {
	section, rest, found := strings.Cut(name, ".")
	if !found {
		return "", name
	}
	return section, rest
}
