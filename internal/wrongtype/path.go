package wrongtype

import (
	"bytes"
	"encoding/json"
)

// container is an object or a list that the walk is inside of.
type container struct {
	list  bool
	index int    // of the element that is next or being read
	name  string // of the property that is being read
	named bool   // the property's name has been read, and not its value
}

// pathTo returns the path to the value that begins at the offset; nil if there is none.
func pathTo(text []byte, offset int) []any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var inside []*container
	for {
		start := int(decoder.InputOffset())
		start += len(text[start:]) - len(bytes.TrimLeft(text[start:], " \t\r\n,:"))
		token, err := decoder.Token()
		if err != nil || start > offset {
			return nil
		}
		switch token {
		case json.Delim('}'), json.Delim(']'):
			inside = inside[:len(inside)-1]
			next(inside)
			continue
		}
		if name, isName := nameIn(inside, token); isName {
			innermost := inside[len(inside)-1]
			innermost.name, innermost.named = name, true
			continue
		}
		if start == offset {
			return pathOf(inside)
		}
		if delim, opens := token.(json.Delim); opens {
			inside = append(inside, &container{list: delim == '['})
		} else {
			next(inside)
		}
	}
}

// nameIn returns the name of a property if the token is one.
func nameIn(inside []*container, token json.Token) (name string, ok bool) {
	if len(inside) == 0 || inside[len(inside)-1].list || inside[len(inside)-1].named {
		return "", false
	}
	name, ok = token.(string)
	return name, ok
}

// next notes that a value of the innermost container has been read.
func next(inside []*container) {
	if len(inside) > 0 {
		innermost := inside[len(inside)-1]
		innermost.named = false
		innermost.index++
	}
}

func pathOf(inside []*container) []any {
	path := make([]any, len(inside))
	for i, c := range inside {
		if c.list {
			path[i] = c.index
		} else {
			path[i] = c.name
		}
	}
	return path
}
