package filedata

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// watcher watches the directories in which a change can make a path lead to other contents: that of the file, and that
// of every symbolic link on the way to it. Of a directory that does not exist, it watches the nearest one above.
type watcher struct {
	paths    []string
	notifier *fsnotify.Watcher // nil if the system offers no notifications
	logger   *slog.Logger
}

func newWatcher(paths []string, logger *slog.Logger) *watcher {
	notifier, err := fsnotify.NewWatcher()
	if err != nil {
		logger.Warn("cleat: cannot watch flag data files; changes are noticed at the next poll", "error", err)
		return &watcher{paths: paths}
	}
	return &watcher{paths: paths, notifier: notifier, logger: logger}
}

// events and errors never deliver anything if there are no notifications.
func (w *watcher) events() <-chan fsnotify.Event {
	if w.notifier == nil {
		return nil
	}
	return w.notifier.Events
}

func (w *watcher) errors() <-chan error {
	if w.notifier == nil {
		return nil
	}
	return w.notifier.Errors
}

// sync watches what has to be watched now, and reports whether that is anything new, or has gone meanwhile.
func (w *watcher) sync() (changed bool) {
	if w.notifier == nil {
		return false
	}
	wanted := w.directories()
	watched := w.notifier.WatchList()
	for _, directory := range watched {
		if !slices.Contains(wanted, directory) {
			// It may have gone in the meantime, and so may the watch.
			_ = w.notifier.Remove(directory)
		}
	}
	for _, directory := range wanted {
		if slices.Contains(watched, directory) {
			continue
		}
		if err := w.notifier.Add(directory); err != nil {
			w.logger.Debug("cleat: cannot watch the directory of a flag data file", "directory", directory, "error", err)
			changed = changed || errors.Is(err, fs.ErrNotExist)
			continue
		}
		changed = true
	}
	return changed
}

// maxLinks is how many symbolic links are followed; systems follow 40 at most.
const maxLinks = 40

func (w *watcher) directories() []string {
	var directories []string
	for _, path := range w.paths {
		for range maxLinks {
			if directory := nearestDirectory(filepath.Dir(path)); !slices.Contains(directories, directory) {
				directories = append(directories, directory)
			}
			target, err := os.Readlink(path)
			if err != nil {
				break
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(path), target)
			}
			path = target
		}
	}
	return directories
}

// nearestDirectory returns the real path of the directory, or of the nearest one above it that exists.
func nearestDirectory(directory string) string {
	for {
		if resolved, err := filepath.EvalSymlinks(directory); err == nil {
			return resolved
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return directory
		}
		directory = parent
	}
}

// close ends the notifications and waits until nothing of them is left.
func (w *watcher) close() {
	if w.notifier == nil {
		return
	}
	if err := w.notifier.Close(); err != nil {
		w.logger.Debug("cleat: closing the watch of flag data files", "error", err)
	}
	for range w.notifier.Events { // closed by the last goroutine of the notifier
	}
}
