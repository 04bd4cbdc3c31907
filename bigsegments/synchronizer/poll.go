package synchronizer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cleatdev/cleat/internal/flagservice"
)

const (
	pollPath   = "sdk/big-segments/revisions"
	streamPath = "big-segments"
)

// catchUp polls until there is nothing more, applies what it gets, and returns when the last poll began.
func (s *Synchronizer) catchUp(ctx context.Context) (asOf time.Time, err error) {
	cursor, err := s.readCursor(ctx)
	if err != nil {
		return time.Time{}, err
	}
	visited := map[string]bool{}
	for {
		if visited[cursor] {
			return time.Time{}, fmt.Errorf("%w: patches of big segments lead in a circle", flagservice.ErrInvalidData)
		}
		visited[cursor] = true
		asOf = time.Now()
		patches, err := s.poll(ctx, cursor)
		if err != nil {
			return time.Time{}, err
		}
		if len(patches) == 0 {
			s.cursor, s.position, s.astray = cursor, cursor, false
			s.progress.at(cursor) // what led there need not be kept
			return asOf, nil
		}
		if cursor, err = s.advance(ctx, cursor, patches); err != nil {
			return time.Time{}, err
		}
	}
}

// advance applies what a poll has brought, which has every version whole, and returns where the cursor is then. If a patch
// does not apply although no other writer has moved the cursor, it never will.
func (s *Synchronizer) advance(ctx context.Context, cursor string, patches []patch) (string, error) {
	answer := group(cursor, cursor, patches, false)
	for i := range answer.units {
		u := &answer.units[i]
		applied, err := s.write(ctx, u, true)
		if err != nil {
			return "", err
		}
		if !applied {
			return s.readCursor(ctx)
		}
		cursor = u.to
		*u = unit{} // the garbage collector may have it
	}
	if !answer.misfit {
		return cursor, nil
	}
	actual, err := s.readCursor(ctx)
	if err == nil && actual == cursor {
		err = fmt.Errorf("%w: patches of big segments do not begin at the store's cursor, %.100q; "+
			"if the store was filled for another environment, remove its big segments", flagservice.ErrInvalidData, cursor)
	}
	return actual, err
}

// poll asks for the patches that follow a version.
func (s *Synchronizer) poll(ctx context.Context, after string) ([]patch, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.RequestTimeout,
		fmt.Errorf("the flag service has not answered a poll for big segments within %v", s.options.RequestTimeout))
	defer cancel()
	endpoint, err := s.pollEndpoint(after)
	if err != nil {
		return nil, err
	}
	response, err := endpoint.Get(ctx, http.Header{"Accept": {"application/json"}}) //nolint:bodyclose // Discard closes it
	if err != nil {
		return nil, err
	}
	defer flagservice.Discard(response.Body)
	if response.StatusCode != http.StatusOK {
		return nil, &flagservice.StatusError{Status: response.StatusCode}
	}
	patches, err := readPatches(flagservice.Limit(response.Body, s.options.MaxSize, "MaxSize"))
	return patches, flagservice.Cause(ctx, err)
}

// pollEndpoint returns the endpoint of a poll; the query of a base URI is kept.
func (s *Synchronizer) pollEndpoint(after string) (*flagservice.Endpoint, error) {
	base, err := flagservice.ParseBase(s.options.PollingURI)
	if err != nil {
		return nil, err
	}
	query := base.Query()
	if after != "" {
		query.Set("after", after)
	}
	base.RawQuery = query.Encode()
	return flagservice.NewEndpoint(s.settings, base.String(), pollPath, "")
}
