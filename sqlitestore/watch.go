package sqlitestore

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
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

// stamp tells states of a row apart.
type stamp struct{ version, updatedAt int64 }

const selectStamps = `SELECT kind, key, version, updated_at FROM items WHERE prefix = ?`

const (
	// maxReported is how many changes of items are reported one by one at once.
	maxReported = 100
	// restFactor is how many times as long as it took to find out what has changed it is not found out again.
	restFactor = 10
)

// Watch implements [core.Watcher]. It looks every [Options.WatchInterval] whether another connection, of this process or
// another one, has committed anything to the file, which costs some microseconds. If so, it reads the versions of all items,
// which takes about a millisecond for each thousand, and reports the items that have changed; as a change of everything if they
// are more than 100. For ten times as long as that has taken, it does not look again. What the store writes itself is reported
// only if others write too.
func (s *Store) Watch(ctx context.Context, changed func(core.Change)) error {
	if ctx == nil {
		return fmt.Errorf("sqlitestore: watch: %w: the context is nil", core.ErrInvalid)
	}
	var last mark // none, so that the first look reports a change
	var known map[core.Change]stamp
	timer := time.NewTimer(s.db.options.WatchInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.db.ended:
			return fmt.Errorf("sqlitestore: watch: %w", core.ErrClosed)
		case <-timer.C:
		}
		began := time.Now()
		now, err := s.db.mark(ctx)
		if err == nil && now != last {
			before := known
			if known, err = s.stamps(ctx); err == nil {
				report(before, known, changed)
			}
		}
		last = now
		if err != nil { // the wrapper notices that; a change is reported when it is over
			last, known = mark{}, nil
		}
		timer.Reset(max(s.db.options.WatchInterval, restFactor*time.Since(began)))
	}
}

// stamps returns the stamp of each item, and of the mark that says whether the store is initialised.
func (s *Store) stamps(ctx context.Context) (stamps map[core.Change]stamp, err error) {
	err = s.db.read(ctx, "watch", func(ctx context.Context, p *pool) error {
		stamps = make(map[core.Change]stamp)
		_, initialized, err := p.metadata(ctx, s.db.options.Prefix, initializedName)
		if err != nil {
			return err
		}
		if initialized {
			stamps[core.Change{}] = stamp{}
		}
		return p.each(ctx, func(row *sql.Rows) error {
			var of core.Change
			var is stamp
			err := row.Scan(&of.Kind, &of.Key, &is.version, &is.updatedAt)
			stamps[of] = is
			return err
		}, selectStamps, s.db.options.Prefix)
	})
	return stamps, err
}

// report reports what differs; everything if nothing was known before.
func report(before, now map[core.Change]stamp, changed func(core.Change)) {
	var changes []core.Change
	for of, is := range now {
		if was, found := before[of]; !found || was != is {
			changes = append(changes, of)
		}
	}
	for of := range before {
		if _, found := now[of]; !found {
			changes = append(changes, of)
		}
	}
	if before == nil || len(changes) > maxReported || slices.Contains(changes, core.Change{}) {
		changes = []core.Change{{}}
	}
	for _, of := range changes {
		changed(of)
	}
}

// mark returns the mark of what is committed now.
func (d *database) mark(ctx context.Context) (m mark, err error) {
	err = d.do(ctx, "watch", func(c *connections) error {
		m = mark{connections: c}
		if c.writer == nil {
			m.file, m.log = timesOf(d.path), timesOf(d.path+"-wal")
			return nil
		}
		return c.writer.use(ctx, func(p *pool) error {
			return p.queryRow(ctx, selectDataVersion).Scan(&m.version)
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
