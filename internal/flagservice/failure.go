package flagservice

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cleatdev/cleat/core"
)

// StatusError is a response with a status that says that there is no data.
type StatusError struct {
	// Status is the response's HTTP status code.
	Status int
	// Header is that of a response to [Endpoint.OpenStream]; otherwise nil.
	Header http.Header
}

// Error implements error and says what to do.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("the flag service answered %d %s", e.Status, http.StatusText(e.Status))
	switch {
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return text + "; check the SDK key"
	case e.Unexpected():
		return text + "; check the base URI, and proxies on the way to it"
	default:
		return text
	}
}

// Unexpected reports whether the status says that the request itself is wrong, so that it hardly helps to repeat it.
func (e *StatusError) Unexpected() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	default:
		return e.Status >= 400 && e.Status <= 499
	}
}

// Unexpected reports whether an error is of the sort that hardly heals within a minute, because something is wrong with
// how the client is configured: see the package's documentation.
func Unexpected(err error) bool {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Unexpected()
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// Describe returns what the status of a data source says of an error.
func Describe(err error) core.DataSourceErrorInfo {
	info := core.DataSourceErrorInfo{
		Kind:    core.DataSourceErrorNetwork,
		Message: Explain(err).Error(),
		Time:    time.Now(),
	}
	if status, ok := errors.AsType[*StatusError](err); ok {
		info.Kind, info.HTTPStatus = core.DataSourceErrorResponse, status.Status
	} else if errors.Is(err, ErrInvalidData) {
		info.Kind = core.DataSourceErrorInvalidData
	}
	return info
}

// WithoutURL returns the cause of an error of an HTTP client, whose own text contains a URL, which might contain a
// password. Other errors are returned as they are.
func WithoutURL(err error) error {
	for {
		wrapper, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err
		}
		err = wrapper.Err
	}
}

// Cause returns why ctx ended in place of an error that is due to that, so that a time-out of ours says what it was that
// took too long.
func Cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
