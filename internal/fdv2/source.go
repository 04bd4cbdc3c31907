package fdv2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// Update is what a source tells of the data.
type Update struct {
	// ChangeSet is what has arrived; nil if nothing has.
	ChangeSet *core.ChangeSet
	// Err is why the source has nothing to tell at the moment, while it goes on trying; nil if all is well.
	Err error
	// EnvironmentID names the environment; empty if the service has not said.
	EnvironmentID string
}

// Directive is the error of a source to which the service has said that the first protocol is to be used for a while.
type Directive struct {
	// For is for how long, before it is spread.
	For time.Duration
}

func (d *Directive) Error() string {
	return fmt.Sprintf("the flag service asks for its first protocol to be used for %v", d.For)
}

// longestFallback is for how long a directive holds at most, and if it does not say.
const longestFallback = time.Hour

// newDirective makes a directive of what the service says, which may make no sense.
func newDirective(seconds int) *Directive {
	if seconds <= 0 || seconds > int(longestFallback/time.Second) {
		return &Directive{For: longestFallback}
	}
	return &Directive{For: time.Duration(seconds) * time.Second}
}

// directiveOf returns the directive in the header of a response; nil if there is none.
func directiveOf(header http.Header) error {
	if !strings.EqualFold(header.Get("X-Ld-Fd-Fallback"), "true") {
		return nil
	}
	seconds, _ := strconv.Atoi(header.Get("X-Ld-Fd-Fallback-Ttl"))
	return newDirective(seconds)
}

// isFinal reports whether an error ends a source for good: a directive, or a status that says that the request is wrong.
func isFinal(err error) bool {
	if _, directed := errors.AsType[*Directive](err); directed {
		return true
	}
	status, ok := errors.AsType[*flagservice.StatusError](err)
	return ok && status.Unexpected()
}

// basis is the endpoint with the state that the client has.
func basis(endpoint *flagservice.Endpoint, selector core.Selector) *flagservice.Endpoint {
	return endpoint.With("basis", string(selector))
}

// wait waits before the next attempt. It returns ctx.Err() if ctx ends.
func wait(ctx context.Context, delay time.Duration) error {
	flagservice.Wait(ctx, delay, nil)
	return ctx.Err()
}
