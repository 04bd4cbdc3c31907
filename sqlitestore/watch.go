package sqlitestore

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/cleatdev/cleat/core"
)

const selectDataVersion = "PRAGMA data_version"

// mark tells states of the database's content apart.
type mark struct {
	connections *connections // others after the file was replaced
	version     int64        // of the connection that writes: it changes with every commit of another connection
	log, file   fileTimes    // in their place if the file is only read
}

type fileTimes struct {
	size     int64
	modified int64 // Unix ns
}

// Watch implements [core.Watcher]. It looks every [Options.WatchInterval] whether another connection, of this process or
// another one, has committed anything to the file, which costs some microseconds, and reports that anything may have
// changed; SQLite does not say what. What the store writes itself is not reported.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	if ctx == nil {
		return fmt.Errorf("sqlitestore: watch: %w: the context is nil", core.ErrInvalid)
	}
	var last mark // none, so that the first look reports a change
	ticker := time.NewTicker(s.db.options.WatchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.db.ended.Done():
			return fmt.Errorf("sqlitestore: watch: %w", core.ErrClosed)
		case <-ticker.C:
		}
		now, err := s.db.mark(ctx)
		if err != nil {
			last = mark{} // it is the wrapper's business to notice that, and ours to report a change when it is over
			continue
		}
		if now != last {
			changed(core.Change{})
		}
		last = now
	}
}

// mark returns the mark of what is committed now.
func (d *database) mark(ctx context.Context) (m mark, err error) {
	err = d.do(ctx, "watch", d.options.ReadTimeout, func(ctx context.Context) error {
		return d.use(ctx, func(c *connections) error {
			m = mark{connections: c}
			if c.writer == nil {
				m.file, m.log = timesOf(d.path), timesOf(d.path+"-wal")
				return nil
			}
			return c.writer.use(ctx, func(p *pool) error {
				return p.queryRow(ctx, selectDataVersion).Scan(&m.version)
			})
		})
	})
	return m, err
}

// timesOf returns the zero value for a file that is not there.
func timesOf(path string) fileTimes {
	info, err := os.Stat(path)
	if err != nil {
		return fileTimes{}
	}
	return fileTimes{size: info.Size(), modified: info.ModTime().UnixNano()}
}
