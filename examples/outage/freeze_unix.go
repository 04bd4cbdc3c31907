//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// freeze stops the child process in its tracks, so that what it holds can be looked at without a race.
func freeze(process *os.Process) error {
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(process.Pid, &status, syscall.WUNTRACED, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return fmt.Errorf("wait for the process to stop: %w", err)
		case status.Stopped():
			return nil
		default:
			return fmt.Errorf("the process ended instead of stopping (%v)", status)
		}
	}
}

// thaw lets a frozen process run again.
func thaw(process *os.Process) error {
	return process.Signal(syscall.SIGCONT)
}
