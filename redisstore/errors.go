package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/tlsadvice"
)

// operation describes a call for its errors.
type operation struct {
	what  string // "reading launchdarkly:features"
	write bool
}

func reading(what string) operation { return operation{what: "reading " + what} }

func writing(what string) operation { return operation{what: "writing " + what, write: true} }

// explain says why a call failed: the caller's context first, then Close, and only then what the driver said, which may be a
// consequence of the others.
func (d *database) explain(ctx context.Context, op operation, err error) error {
	if deadline, ok := ctx.Deadline(); ok && isTimeout(err) && !time.Now().Before(deadline) {
		<-ctx.Done() // A socket's deadline can be seen a moment before the context's timer fires.
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.closing.Err() != nil:
		return errClosed()
	}
	d.noteTopology(err)
	return d.translate(op, err)
}

// noteTopology has the driver ask a Cluster who is who when a node could not be reached, instead of at its next turn.
func (d *database) noteTopology(err error) {
	if cluster, ok := d.client.(*redis.ClusterClient); ok && !refused(err) {
		cluster.ReloadState(d.closing)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func errClosed() error { return fmt.Errorf("redisstore: %w", core.ErrClosed) }

func errNilContext() error { return fmt.Errorf("redisstore: %w: the context is nil", core.ErrInvalid) }

// storeError is a driver's error as a caller sees it: a text without secrets, the sentinel, and the cause within reach
// of errors.As. errors.Is finds the sentinel alone: a deadline of the driver must not be taken for that of the caller's context.
type storeError struct {
	text     string
	sentinel error
	cause    error
}

func (e *storeError) Error() string { return e.text }

func (e *storeError) Unwrap() error { return e.sentinel }

func (e *storeError) As(target any) bool {
	var dialled *dialError
	return errors.As(e.cause, target) || errors.As(e.cause, &dialled) && errors.As(dialled.cause, target)
}

// translate turns an error of the driver, which is not that of a context, into one of ours.
func (d *database) translate(op operation, err error) error {
	advice, sentinel := d.classify(op, err)
	text := fmt.Sprintf("redisstore: %s: %v: %s", op.what, sentinel, printable(err))
	if advice != "" {
		text += " (" + advice + ")"
	}
	return &storeError{text: text, sentinel: sentinel, cause: err}
}

// classify decides by the code of a reply, which is its first word and part of the protocol. Whatever else the driver
// reports is about connections: refused, cut, timed out, none left in the pool.
func (d *database) classify(op operation, err error) (advice string, sentinel error) {
	var dialled *dialError
	if errors.As(err, &dialled) {
		err, op.write = dialled.cause, false // a Sentinel that refuses something says nothing of writes
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return d.adviseConnection(err), core.ErrUnavailable
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
func (d *database) adviseConnection(err error) string {
	var foreign *foreignError
	switch {
	case errors.As(err, &foreign):
		return foreign.advice
	case d.owned:
		return tlsadvice.For(err, tlsSettings())
	}
	return tlsadvice.For(err, tlsadvice.Settings{})
}

// tlsSettings are those of a client that the store has made.
func tlsSettings() tlsadvice.Settings {
	return tlsadvice.Settings{
		Authorities:       "Options.TLS, or ca_file in the URL",
		ServerName:        "ServerName of Options.TLS, or tls_server_name in the URL",
		ClientCertificate: "Options.TLS, or cert_file and key_file in the URL",
		Plain:             "use a URL that begins with redis instead of rediss, or the port of TLS",
	}
}

// refused reports whether err is a server's answer, after which nothing was written.
func refused(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// unsent reports whether err says that nothing was written: a server has refused it, or there was no connection.
func unsent(err error) bool {
	var network *net.OpError
	return refused(err) || errors.As(err, &network) && network.Op == "dial"
}

// firstError returns why a transaction failed: the refused command's error if there is one, since that of the transaction
// says only that some command was refused.
func firstError(commands []redis.Cmder, err error) error {
	for _, command := range commands {
		if cause := command.Err(); cause != nil && !redis.HasErrorPrefix(cause, "EXECABORT") {
			return cause
		}
	}
	return err
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
