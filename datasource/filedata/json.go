package filedata

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/cleatdev/cleat/internal/wrongtype"
)

// parseJSON reads a JSON file. Everything in a section is kept as the text that it is.
func parseJSON(data []byte) (document, error) {
	if err := checkJSON(data); err != nil {
		return document{}, err
	}
	p := &jsonParser{data: data, decoder: json.NewDecoder(bytes.NewReader(data))}
	doc := document{line: lineOf(data, int64(bytes.IndexByte(data, '{')))}
	err := p.object("the file", func(name string, line int) error {
		if !isSection(name) {
			doc.unknown = append(doc.unknown, property{name, line})
			_, err := p.value()
			return err
		}
		return p.section(&doc, name)
	})
	return doc, err
}

// checkJSON makes sure that the text is JSON, so that what comes after it has to deal with its form only, and no text is
// nested deeper than a parser's stack allows.
func checkJSON(data []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(data, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return &positionError{line: lineOf(data, syntax.Offset-1), err: err}
	}
	return err
}

type jsonParser struct {
	data    []byte
	decoder *json.Decoder
	offset  int64 // up to where lines have been counted
	lines   int   // how many line ends there are before it
}

// object reads an object and calls member for each property, which has to read the value.
func (p *jsonParser) object(what string, member func(name string, line int) error) error {
	token, err := p.decoder.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return errorAt(p.line(), "%s must be an object", what)
	}
	for p.decoder.More() {
		name, err := p.decoder.Token()
		if err != nil {
			return err
		}
		if err := member(name.(string), p.line()); err != nil {
			return err
		}
	}
	_, err = p.decoder.Token()
	return err
}

func (p *jsonParser) section(doc *document, section string) error {
	doc.sections = true
	if p.nextIsNull() {
		_, err := p.decoder.Token()
		return err
	}
	return p.object(`"`+section+`"`, func(key string, line int) error {
		value, err := p.value()
		place := jsonPlace{text: value, line: p.line() - bytes.Count(value, []byte("\n"))}
		doc.entries = append(doc.entries, entry{section: section, key: key, json: value, line: line, value: place})
		return err
	})
}

// jsonPlace is a value as it stands in a JSON file, beginning in a line.
type jsonPlace struct {
	text []byte
	line int
}

func (p jsonPlace) lineOf(wrong *wrongtype.Error) int {
	return p.line - 1 + lineOf(p.text, int64(wrong.Offset))
}

func (p *jsonParser) value() ([]byte, error) {
	var raw json.RawMessage
	err := p.decoder.Decode(&raw)
	return raw, err
}

func (p *jsonParser) nextIsNull() bool {
	rest := bytes.TrimLeft(p.data[p.decoder.InputOffset():], ": \t\r\n")
	return bytes.HasPrefix(rest, []byte("null"))
}

// line returns the line of what was read last. It counts each byte of the file once only.
func (p *jsonParser) line() int {
	offset := p.decoder.InputOffset()
	p.lines += bytes.Count(p.data[p.offset:offset], []byte("\n"))
	p.offset = offset
	return 1 + p.lines
}
