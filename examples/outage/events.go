package main

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
)

// eventKind is what the first process tells its parent.
type eventKind string

const (
	eventUpdateBegun eventKind = "update begun"     // a change is about to be written to the store
	eventUpdateEnded eventKind = "update ended"     // it has been written, or failed
	eventReady       eventKind = "ready for update" // all flags are evaluated, the file may be changed now
)

// event is one line on the pipe from the first process to its parent.
type event struct {
	Kind  eventKind `json:"kind"`
	Error string    `json:"error,omitempty"`
}

// eventWriter is the child's end of the pipe.
type eventWriter struct {
	mu  sync.Mutex
	out io.Writer
}

// send writes one event and returns when the pipe has taken it.
func (w *eventWriter) send(kind eventKind, cause error) error {
	e := event{Kind: kind}
	if cause != nil {
		e.Error = cause.Error()
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.out.Write(append(line, '\n'))
	return err
}

// readEvents passes on every event until the pipe ends, and then closes the channel.
func readEvents(in io.Reader, to chan<- event) {
	defer close(to)
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		var e event
		if json.Unmarshal(scanner.Bytes(), &e) == nil {
			to <- e
		}
	}
}
