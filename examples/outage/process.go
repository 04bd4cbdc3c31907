package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
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
	args := []string{role, "-dir", string(o.dir)}
	if o.all {
		args = append(args, "-all")
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, nil
}

// server is the first process, as its parent sees it.
type server struct {
	cmd    *exec.Cmd
	stdin  io.Closer // the child ends when its standard input does, so that it cannot outlive the parent
	events chan event
	stop   func()
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
	var reading sync.WaitGroup
	reading.Go(func() { readEvents(fromChild, s.events) })
	s.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for range s.events { // what was still in the pipe
		}
		reading.Wait()
		_ = fromChild.Close()
	})
	return s, nil
}

// await returns when the child sends an event of the given kind, and fails if the child ends before or reports an error.
func (s *server) await(ctx context.Context, kind eventKind) error {
	for {
		select {
		case e, open := <-s.events:
			switch {
			case !open:
				return fmt.Errorf("the first process ended too early, while it was expected to say %q", kind)
			case e.Error != "":
				return fmt.Errorf("the first process failed: %s: %s", e.Kind, e.Error)
			case e.Kind == kind:
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("while the first process was expected to say %q: %w", kind, ctx.Err())
		}
	}
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
