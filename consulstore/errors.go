package consulstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/tlsadvice"
)

// storeError is an error as a caller sees it: a text without secrets, the sentinel, and the cause, which may be nil, within reach
// of errors.As. errors.Is finds the sentinel alone: the deadline of a connection must not be taken for that of the caller's context.
type storeError struct {
	text     string
	sentinel error
	cause    error
}

func (e *storeError) Error() string { return e.text }

func (e *storeError) Unwrap() error { return e.sentinel }

func (e *storeError) As(target any) bool { return errors.As(e.cause, target) }

// rollbackError is a transaction that the server undid because of some of its operations.
type rollbackError struct{ reasons api.TxnErrors }

func (e *rollbackError) Error() string {
	if len(e.reasons) == 0 {
		return "the transaction was rolled back"
	}
	return fmt.Sprintf("the transaction was rolled back at operation %d: %.200s", e.reasons[0].OpIndex+1, e.reasons[0].What)
}

// errHidden says that a server left out what the token may not read.
var errHidden = errors.New("the token may not read all keys")

func errNilContext() error {
	return fmt.Errorf("consulstore: %w: the context is nil", core.ErrInvalid)
}

func errClosed() error { return fmt.Errorf("consulstore: %w", core.ErrClosed) }

// begin returns why a call cannot be made, if it cannot.
func (k *kv) begin(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errNilContext()
	case k.closing.Err() != nil:
		return errClosed()
	}
	return ctx.Err()
}

// notRead is why a call that reads fails.
func (k *kv) notRead(ctx context.Context, what string, err error) error {
	return k.explain(ctx, "reading "+what, err, func() bool { return false })
}

// notWritten is why a call that writes fails. A server refuses an unknown token and a missing permission in the same way, and
// what is to be done about the two is not the same. Reading shows the difference.
func (k *kv) notWritten(ctx context.Context, what string, err error) error {
	return k.explain(ctx, "writing "+what, err, func() bool {
		_, err := k.get(ctx, k.keys.inited(), ConsistencyDefault)
		return err == nil
	})
}

// explain says why a call failed: the end of its context first, then Close, then what was found out here, and only then what the
// driver said.
func (k *kv) explain(ctx context.Context, what string, err error, readable func() bool) error {
	var known *storeError
	deadline, bounded := ctx.Deadline()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded && !time.Now().Before(deadline): // A socket's deadline can be seen a moment before the context's timer fires.
		return context.DeadlineExceeded
	case k.closing.Err() != nil:
		return errClosed()
	case errors.As(err, &known):
		return err
	}
	return k.translate(what, err, denied(err) && readable())
}

// denied reports whether an error means that the token is unknown or has no permission for what was asked.
func denied(err error) bool {
	var rollback *rollbackError
	return errors.Is(err, errHidden) || errors.As(err, &rollback) || statusOf(err) == http.StatusForbidden ||
		statusOf(err) == http.StatusUnauthorized
}

// tooLarge reports whether a server found a request or a value too large.
func tooLarge(err error) bool { return statusOf(err) == http.StatusRequestEntityTooLarge }

// statusOf returns the status of the answer that err is about, or 0.
func statusOf(err error) int {
	var status api.StatusError
	if errors.As(err, &status) {
		return status.Code
	}
	return 0
}

// translate turns an error of the driver, which is not that of a context, into one of ours. readable says that the server
// lets us read where it has just refused to let us write.
func (k *kv) translate(what string, err error, readable bool) error {
	advice, sentinel := k.classify(err, readable)
	text := fmt.Sprintf("consulstore: %s: %v: %s", what, sentinel, printable(err))
	if advice != "" {
		text += " (" + advice + ")"
	}
	return &storeError{text: text, sentinel: sentinel, cause: err}
}

// classify decides by the status of an answer. Whatever else the driver reports is about connections.
func (k *kv) classify(err error, readable bool) (advice string, sentinel error) {
	switch {
	case denied(err) && readable:
		return "the ACL token may only read: it needs key_prefix write for the store's prefix and a slash", core.ErrReadOnly
	case denied(err):
		return "check the ACL token: it needs key_prefix write, or read, for the store's prefix and a slash", core.ErrUnavailable
	case tooLarge(err):
		return "see the server's kv_max_value_size and txn_max_req_len", core.ErrTooLarge
	}
	switch statusOf(err) {
	case http.StatusBadRequest:
		return "check Datacenter, Namespace and Partition, and that the server is one of Consul", core.ErrUnavailable
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "check the address: no Consul server is there", core.ErrUnavailable
	case http.StatusTooManyRequests:
		return "the server limits the rate of requests", core.ErrUnavailable
	default:
		return tlsadvice.For(err, k.tlsSettings()), core.ErrUnavailable
	}
}

// tlsSettings are empty for a client of the caller's, which has its own.
func (k *kv) tlsSettings() tlsadvice.Settings {
	if k.transport == nil {
		return tlsadvice.Settings{}
	}
	return tlsadvice.Settings{
		Authorities:       "Options.TLS, ca_file in the URL, or CONSUL_CACERT",
		ServerName:        "ServerName of Options.TLS, or CONSUL_TLS_SERVER_NAME",
		ClientCertificate: "Options.TLS, cert_file and key_file in the URL, or CONSUL_CLIENT_CERT and CONSUL_CLIENT_KEY",
		Plain:             "use an address or URL for plain HTTP, or the port of HTTPS",
	}
}

// printable returns an error's text, without the URL and without more than the beginning of what a server wrote.
func printable(err error) string {
	const maxPrinted = 200
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var status api.StatusError
	if errors.As(err, &status) && len(status.Body) > maxPrinted {
		status.Body = status.Body[:maxPrinted] + "…"
		return status.Error()
	}
	return err.Error()
}
