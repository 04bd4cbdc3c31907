package filedata

import (
	"errors"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/wrongtype"
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
	if err == nil {
		return item, nil
	}
	err = wrongtype.Explain(e.kind(), data, err)
	line := e.line
	if wrong, ok := errors.AsType[*wrongtype.Error](err); ok {
		line = e.value.lineOf(wrong)
	}
	return nil, errorAt(line, "%q in %q: %w", e.key, e.section, err)
}

// flagOfValue returns a flag that is on and has one variation for everyone.
func flagOfValue(value []byte) []byte {
	return fmt.Appendf(nil, `{"on":true,"fallthrough":{"variation":0},"offVariation":0,"variations":[%s]}`, value)
}
