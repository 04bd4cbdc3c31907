package filedata

import (
	"fmt"

	"github.com/cleatdev/cleat/core"
)

// kind returns that of the item that the entry stands for.
func (e entry) kind() core.DataKind {
	if e.section == sectionSegments {
		return core.Segments
	}
	return core.Flags
}

// item makes the item that the entry stands for.
func (e entry) item() (*core.Item, error) {
	data := e.json
	if e.section == sectionFlagValues {
		data = flagOfValue(data)
	}
	item, err := complete(e.kind(), e.key, data)
	if err != nil {
		return nil, errorAt(e.line, "%q in %q: %w", e.key, e.section, err)
	}
	return item, nil
}

// flagOfValue returns a flag that is on and has one variation for everyone.
func flagOfValue(value []byte) []byte {
	return fmt.Appendf(nil, `{"on":true,"fallthrough":{"variation":0},"offVariation":0,"variations":[%s]}`, value)
}
