package conformance

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/conformance/internal/suite"
	"github.com/cleatdev/cleat/core"
)

// versions returns the version of every item of the kind.
func (s *store) versions(ctx context.Context, kind core.DataKind) (map[string]int, error) {
	all, err := s.GetAll(ctx, kind)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]int, len(all))
	for _, keyed := range all {
		item, err := keyed.Item.Parse(kind, keyed.Key)
		if err != nil {
			return nil, err
		}
		versions[keyed.Key] = item.Version()
	}
	return versions, nil
}

// version returns the version of one item.
func (s *store) version(ctx context.Context, kind core.DataKind, key string) (version int, found bool, err error) {
	stored, found, err := s.Get(ctx, kind, key)
	if err != nil || !found {
		return 0, false, err
	}
	item, err := stored.Parse(kind, key)
	if err != nil {
		return 0, false, err
	}
	return item.Version(), true, nil
}

// whileWriting calls read again and again, and at least once, while write runs, and fails the subtest if either returns
// an error.
func (f *fixture) whileWriting(write, read func() error) {
	f.Helper()
	done := make(chan struct{})
	suite.Concurrently(f, 2, func(i int) error {
		if i == 0 {
			defer close(done)
			return write()
		}
		for {
			if err := read(); err != nil {
				return fmt.Errorf("reader: %w", err)
			}
			select {
			case <-done:
				return nil
			default:
			}
		}
	})
}
