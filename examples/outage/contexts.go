package main

import (
	_ "embed"
	"encoding/json"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
)

//go:embed contexts.json
var committedContexts []byte

// subject is a context that flags are evaluated for.
type subject struct {
	Name        string            `json:"name"` // at most 12 characters
	Description string            `json:"description"`
	Context     ldcontext.Context `json:"context"`
}

// subjects returns a fixed set of contexts, of every sort that flags are targeted by.
func subjects() []subject {
	var all []subject
	if err := json.Unmarshal(committedContexts, &all); err != nil {
		panic(err) // the file is a part of the program
	}
	return all
}
