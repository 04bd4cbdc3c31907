package filedata

import (
	"crypto/sha256"
	"log/slog"
	"slices"

	"github.com/cleatdev/cleat/core"
)

// loader reads the files and makes data of them.
type loader struct {
	options Options
	logger  *slog.Logger
	// stamps and sums tell the contents of the files when they were last understood; nil before that.
	stamps []stamp
	sums   [][sha256.Size]byte
	// broken is true if the last call of load failed.
	broken bool
}

// load returns the data in the files; changed is false if it is what the last successful call returned.
func (l *loader) load() (data []core.Collection, changed bool, err error) {
	stamps := l.stampAll()
	if !l.broken && sameStamps(l.stamps, stamps) {
		return nil, false, nil
	}
	l.broken = true
	texts, sums, err := l.readAll()
	if err != nil {
		return nil, false, err
	}
	if changed = !slices.Equal(l.sums, sums); changed {
		if data, err = l.parseAll(texts); err != nil {
			return nil, false, err
		}
	}
	l.stamps, l.sums, l.broken = stamps, sums, false
	return data, changed, nil
}

func (l *loader) stampAll() []stamp {
	stamps := make([]stamp, len(l.options.Paths))
	for i, path := range l.options.Paths {
		stamps[i] = newStamp(path)
	}
	return stamps
}

func (l *loader) readAll() (texts [][]byte, sums [][sha256.Size]byte, err error) {
	texts = make([][]byte, len(l.options.Paths))
	sums = make([][sha256.Size]byte, len(l.options.Paths))
	for i, path := range l.options.Paths {
		if texts[i], err = readFile(path, l.options.MaxFileSize); err != nil {
			return nil, nil, &fileError{path: path, kind: kindOfReadError(err), err: err}
		}
		sums[i] = sha256.Sum256(texts[i])
	}
	return texts, sums, nil
}

func (l *loader) parseAll(texts [][]byte) (data []core.Collection, err error) {
	set := newItemSet(l.options.DuplicateKeys)
	unknown := make([][]property, len(texts))
	for i, path := range l.options.Paths {
		if unknown[i], err = parse(set, path, texts[i]); err != nil {
			return nil, &fileError{path: path, kind: core.DataSourceErrorInvalidData, err: err}
		}
	}
	for i, path := range l.options.Paths { // not before, because files that are refused are parsed again and again
		l.logUnknown(path, unknown[i])
	}
	for kind, where := range set.nameless {
		l.logger.Warn("cleat: flag data file has an item with an empty key, which is left out",
			"kind", string(kind), "path", where.path, "line", where.line)
	}
	return set.collections(), nil
}

// parse adds what the text says to the set, and returns the properties that it ignores.
func parse(set *itemSet, path string, text []byte) (unknown []property, err error) {
	doc, err := parseDocument(path, text)
	if err != nil {
		return nil, err
	}
	for _, e := range doc.entries {
		if err := set.add(path, e); err != nil {
			return nil, err
		}
	}
	return doc.unknown, nil
}

func (l *loader) logUnknown(path string, properties []property) {
	for _, unknown := range properties {
		l.logger.Warn("cleat: flag data file has an unknown property, which is ignored",
			"path", path, "line", unknown.line, "property", unknown.name,
			"known", []string{sectionFlags, sectionFlagValues, sectionSegments})
	}
}
