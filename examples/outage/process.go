package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Roles of the child processes, given as first argument.
const (
	roleServe   = "serve"
	roleRestart = "restart"
)

// childCommand returns the command that runs this program in the given role. It ends when ctx does.
func childCommand(ctx context.Context, role string, o options, stdout, stderr io.Writer) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, role, "-dir", string(o.dir), fmt.Sprintf("-all=%t", o.all))
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, nil
}

// server is the first process, as its parent sees it.
type server struct {
	cmd    *exec.Cmd
	stdin  io.Closer // the child ends when its standard input does, so that it cannot outlive the parent
	events chan event
}

// startServer starts the first process and returns at once.
func startServer(ctx context.Context, o options, stdout, stderr io.Writer) (*server, error) {
	cmd, err := childCommand(ctx, roleServe, o, stdout, stderr)
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	fromChild, toParent, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{toParent}
	err = cmd.Start()
	_ = toParent.Close() // the child has its own
	if err != nil {
		_ = fromChild.Close()
		return nil, err
	}
	s := &server{cmd: cmd, stdin: stdin, events: make(chan event)}
	go s.readEvents(fromChild)
	return s, nil
}

// readEvents passes on every event until the pipe ends, and then closes the channel.
func (s *server) readEvents(pipe io.ReadCloser) {
	defer close(s.events)
	defer func() { _ = pipe.Close() }()
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		s.events <- event(lines.Text())
	}
}

// stop kills the process unless it has ended, and waits for its end. A second call does nothing.
func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	for range s.events { // what was still in the pipe
	}
}

// await returns when the child sends the event, and fails if the child ends before or reports a failed update. The end of
// ctx ends the child.
func (s *server) await(ctx context.Context, expected event) error {
	for e := range s.events {
		switch {
		case e == expected:
			return nil
		case strings.HasPrefix(string(e), string(eventUpdateFailed)):
			return fmt.Errorf("the first process failed: %s", e)
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("while the first process was expected to say %q: %w", expected, ctx.Err())
	}
	return fmt.Errorf("the first process ended too early, while it was expected to say %q", expected)
}

// awaitUpdate returns how long the next update of the store takes, once it is over.
func (s *server) awaitUpdate(ctx context.Context) (time.Duration, error) {
	if err := s.await(ctx, eventUpdateBegun); err != nil {
		return 0, err
	}
	begun := time.Now()
	err := s.await(ctx, eventUpdateEnded)
	return time.Since(begun), err
}
