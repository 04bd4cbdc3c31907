//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package customstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cleatdev/cleat/core"
)

const (
	lockTimeout  = 5 * time.Second
	lockInterval = time.Millisecond
)

// New makes a store in the directory, which is made if need be. The prefix separates it from others there; it may have
// about 120 bytes.
func New(directory, prefix string) (*Store, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("customstore: %w: %w", core.ErrUnavailable, err)
	}
	// In hexadecimal, no prefix leads out of the directory, and no two differ in nothing but case.
	s := &Store{path: filepath.Join(directory, hex.EncodeToString([]byte(prefix))+".json")}
	s.lifetime, s.end = context.WithCancel(context.Background())
	return s, nil
}

// view returns what is in the file now.
func (s *Store) view(ctx context.Context) (document, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return document{}, err
	}
	defer leave()
	return s.read()
}

// update lets change have the file to itself, and writes it if that reports a change.
func (s *Store) update(ctx context.Context, change func(*document) (changed bool)) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	lock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	d, err := s.read()
	if err != nil || !change(&d) {
		return err
	}
	return s.replace(d)
}

// enter refuses calls that must not be made, and has Close wait until the others leave.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if ctx == nil {
		return nil, fmt.Errorf("customstore: %w: the context is nil", core.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.calls.RLock()
	if s.lifetime.Err() != nil {
		s.calls.RUnlock()
		return nil, fmt.Errorf("customstore: %w", core.ErrClosed)
	}
	return s.calls.RUnlock, nil
}

// lock waits until no other process and no other call has the lock.
func (s *Store) lock(ctx context.Context) (*os.File, error) {
	file, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("customstore: %w: %w", refusal(err), err)
	}
	limit := time.NewTimer(lockTimeout)
	defer limit.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		select {
		case <-time.After(lockInterval):
			continue
		case <-limit.C:
			err = fmt.Errorf("customstore: %s.lock: %w: %w", s.path, core.ErrUnavailable, err)
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.lifetime.Done():
			err = fmt.Errorf("customstore: %w", core.ErrClosed)
		}
		_ = file.Close()
		return nil, err
	}
}
