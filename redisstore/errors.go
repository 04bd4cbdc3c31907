package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
)

// storeError is a driver's error as a caller sees it: a text without secrets, the sentinel, and the cause within reach
// of errors.As. errors.Is finds the sentinel alone: a deadline of ours must not be taken for that of the caller's context.
type storeError struct {
	text     string
	sentinel error
	cause    error
}

func (e *storeError) Error() string { return e.text }

func (e *storeError) Unwrap() error { return e.sentinel }

func (e *storeError) As(target any) bool { return errors.As(e.cause, target) }

// translate turns an error of the driver, which is not that of a context, into one of ours.
func translate(op operation, err error) error {
	advice, sentinel := classify(op, err)
	text := fmt.Sprintf("redisstore: %s: %v: %s", op.what, sentinel, printable(err))
	if advice != "" {
		text += " (" + advice + ")"
	}
	return &storeError{text: text, sentinel: sentinel, cause: err}
}

// codeSuperseded begins the reply of our own scripts to an Init after which another one began.
const codeSuperseded = "SUPERSEDED"

// classify decides by the code of a reply, which is its first word and part of the protocol. Whatever else the driver
// reports is about connections: refused, cut, timed out, none left in the pool.
func classify(op operation, err error) (advice string, sentinel error) {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return adviseConnection(err), core.ErrUnavailable
	}
	if errors.Is(err, redis.Nil) { // Where that means anything else, it does not come here.
		return "the Sentinels know no primary of that name", core.ErrUnavailable
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	switch code {
	case "READONLY":
		return "the server is a replica; use the address of its primary", core.ErrReadOnly
	case "NOREPLICAS":
		return "the server refuses writes while too few replicas are connected", core.ErrReadOnly
	case "WRONGTYPE":
		return "something else uses a key of this store: remove it or choose another prefix", core.ErrCorrupt
	case "NOPERM":
		if op.write {
			return "grant the user the commands and keys that the package documentation lists", core.ErrReadOnly
		}
		return "grant the user the commands and keys that the package documentation lists", core.ErrUnavailable
	case codeSuperseded:
		return "the data are those of the other Init as soon as that has completed", core.ErrConflict
	case "NOAUTH", "WRONGPASS":
		return "check the user name and the password", core.ErrUnavailable
	case "OOM": // writes only; so is the next
		return "raise the server's maxmemory or free memory", core.ErrReadOnly
	case "MISCONF":
		return "the server cannot save to disk: see its log", core.ErrReadOnly
	case "MOVED", "ASK", "CROSSSLOT":
		return "the server is a node of a Redis Cluster; use a redis+cluster:// URL or a redis.ClusterClient", core.ErrUnavailable
	default:
		return "", core.ErrUnavailable
	}
}

// adviseConnection says what may be wrong with how the server is connected to.
func adviseConnection(err error) string {
	var notTLS tls.RecordHeaderError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &notTLS):
		return "the server does not speak TLS at this port; nothing secret was sent"
	case errors.As(err, &untrusted):
		return "see that Options.TLS trusts the authority of the server's certificate and that the names are the same"
	}
	return ""
}

// credentialsError is an error of Options.Credentials.
type credentialsError struct {
	cause    error
	password string
}

func (e *credentialsError) Error() string {
	text := e.cause.Error()
	if e.password != "" {
		text = strings.ReplaceAll(text, e.password, "…")
	}
	return "Options.Credentials failed: " + text
}

func (e *credentialsError) Unwrap() error { return e.cause }

// printable returns an error's text without the arguments that a server repeats when it does not know a command: that
// command may be AUTH.
func printable(err error) string {
	text, _, _ := strings.Cut(err.Error(), ", with args beginning with")
	return text
}
