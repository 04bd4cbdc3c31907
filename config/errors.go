package config

import "github.com/cleatdev/cleat/core"

// Error is one thing that is wrong with a configuration. It wraps [core.ErrInvalid], and shows no value of any setting,
// because anything may be in the wrong place, an SDK key too. Several come joined as by [errors.Join].
type Error struct {
	// Source is where it was found: a file and its line, such as cleat.yaml:12, or an environment variable. It is empty
	// for settings that come from elsewhere.
	Source string
	// Setting is the name of the setting; empty if it is about none.
	Setting string
	// Problem says what is wrong and what to change.
	Problem string
}

// Error implements error.
func (e *Error) Error() string {
	return "config: " + place(e.Source, e.Setting) + e.Problem
}

// Unwrap returns [core.ErrInvalid].
func (e *Error) Unwrap() error { return core.ErrInvalid }

// place is the beginning of a message about a setting that comes from the source.
func place(source, setting string) string {
	text := ""
	if source != "" {
		text += source + ": "
	}
	if setting != "" {
		text += setting + ": "
	}
	return text
}
