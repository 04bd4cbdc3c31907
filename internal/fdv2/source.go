package fdv2

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// directive is a [core.FallbackDirective] as the error that ends a connection or a poll.
type directive struct{ core.FallbackDirective }

func (d *directive) Error() string {
	return fmt.Sprintf("the flag service asks for its first protocol to be used for %v", d.TTL)
}

// longestFallback is for how long a directive holds at most, and if it does not say.
const longestFallback = time.Hour

// newDirective makes a directive of what the service says, which may make no sense.
func newDirective(seconds int) *directive {
	if seconds <= 0 || seconds > int(longestFallback/time.Second) {
		return &directive{core.FallbackDirective{TTL: longestFallback}}
	}
	return &directive{core.FallbackDirective{TTL: time.Duration(seconds) * time.Second}}
}

// directiveOf returns the directive in the header of a response; nil if there is none.
func directiveOf(header http.Header) error {
	if !strings.EqualFold(header.Get("X-Ld-Fd-Fallback"), "true") {
		return nil
	}
	seconds, _ := strconv.Atoi(header.Get("X-Ld-Fd-Fallback-Ttl"))
	return newDirective(seconds)
}

// given returns the directive that an error is; nil if it is none.
func given(err error) *core.FallbackDirective {
	if d, ok := errors.AsType[*directive](err); ok {
		return &d.FallbackDirective
	}
	return nil
}

// isFinal reports whether a status says that the request is wrong.
func isFinal(err error) bool {
	status, ok := errors.AsType[*flagservice.StatusError](err)
	return ok && status.Unexpected()
}

// failed is the update that tells of an error.
func failed(err error) core.Update { return core.Update{Error: flagservice.Describe(err)} }

// basis is the endpoint with the state that the client has.
func basis(endpoint *flagservice.Endpoint, selector core.Selector) *flagservice.Endpoint {
	return endpoint.With("basis", string(selector))
}
