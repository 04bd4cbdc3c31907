package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// workspace is the directory in which the parent and its children keep their files.
type workspace string

func (w workspace) path(name string) string { return filepath.Join(string(w), name) }

// store is the SQLite file, all that the second process has. SQLite may keep the other storeFiles beside it.
func (w workspace) store() string { return w.path("store.db") }
func (w workspace) storeFiles() []string {
	return []string{w.store(), w.store() + "-wal", w.store() + "-shm"}
}

// source is the directory of the flag files, which is gone when the second process starts: flagFile, which the first
// process watches, and changedFile with the flags as they are after the update.
func (w workspace) source() string      { return w.path("source") }
func (w workspace) flagFile() string    { return w.path("source/flags.json") }
func (w workspace) changedFile() string { return w.path("source/changed.json") }

// questions lists keys and types of the flags, which an application has in its code. The other files have the answers of
// the first process to them before the update, what they would be after it, and the answers of the second process.
func (w workspace) questions() string { return w.path("questions.json") }
func (w workspace) before() string    { return w.path("answers-before.json") }
func (w workspace) after() string     { return w.path("answers-after.json") }
func (w workspace) restarted() string { return w.path("answers-restarted.json") }

// replaceFile puts data in place of a file in one step, so that no reader sees half of it.
func replaceFile(path string, data []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return replaceFile(path, data)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
