package dynamostore

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/tlsadvice"
)

// Codes of errors that decide what happens next.
const (
	codeValidation      = "ValidationException"
	codeNotFound        = "ResourceNotFoundException"
	codeInUse           = "ResourceInUseException"
	codeAccessDenied    = "AccessDeniedException"
	codeItemCollection  = "ItemCollectionSizeLimitExceededException"
	codeConflict        = "TransactionConflictException"
	codeReplicaConflict = "ReplicatedWriteConflictException"
	codeInProgress      = "TransactionInProgressException"
	codeConditionFailed = "ConditionalCheckFailedException"
	codeCancelled       = "TransactionCanceledException"
	codeThroughput      = "ProvisionedThroughputExceededException"
	codeThrottling      = "ThrottlingException"
	codeRequestLimit    = "RequestLimitExceeded"
	codeLimitExceeded   = "LimitExceededException"
)

// errUnprocessed is the error of a batch that the server has processed in part.
var errUnprocessed = errors.New("the service is throttling and left items unprocessed")

// storeError is a driver's error as a caller sees it: a text without secrets, the sentinel, and the cause within reach
// of errors.As. errors.Is finds the sentinel alone: a deadline of the driver's must not be taken for that of the caller's context.
type storeError struct {
	text     string
	sentinel error
	cause    error
}

func (e *storeError) Error() string { return e.text }

func (e *storeError) Unwrap() error { return e.sentinel }

func (e *storeError) As(target any) bool { return errors.As(e.cause, target) }

// operation says in errors what a request is for.
type operation struct{ verb, namespaces string }

func reading(namespace string) operation { return operation{"reading", namespace} }

func writing(namespaces string) operation { return operation{"writing", namespaces} }

// translate turns an error of the driver, which is not that of a context, into one of ours.
func (s *session) translate(op operation, err error) error {
	code := codeOf(err)
	advice, sentinel := classify(op, code)
	if code == "" {
		advice = tlsadvice.For(err, s.tlsSettings())
	}
	what := op.verb + " table " + s.table
	if op.namespaces != "" {
		what = op.verb + " " + op.namespaces + " of table " + s.table
	}
	text := fmt.Sprintf("dynamostore: %s: %v: %s", what, sentinel, printable(err))
	if advice != "" {
		text += " (" + advice + ")"
	}
	return &storeError{text: text, sentinel: sentinel, cause: err}
}

// tlsSettings are empty for a client of the caller's, which has its own.
func (s *session) tlsSettings() tlsadvice.Settings {
	if s.release == nil {
		return tlsadvice.Settings{}
	}
	return tlsadvice.Settings{
		Authorities:       "Options.HTTPClient, or by the file of AWS_CA_BUNDLE",
		ClientCertificate: "Options.HTTPClient",
		Plain:             "use an endpoint that begins with http instead of https, or the port of HTTPS",
	}
}

// credentialsEndpointError is what the endpoint for credentials answered. Its code says nothing about the table.
type credentialsEndpointError interface {
	error
	HTTPStatusCode() int
	ErrorCode() string
	ErrorMessage() string
}

// codeOf returns the code of an answer of the service, or "". For a cancelled transaction it is that of the reason.
func codeOf(err error) string {
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		return reasonOf(cancelled)
	}
	var answer smithy.APIError
	var endpoint credentialsEndpointError
	if errors.As(err, &answer) && !errors.As(err, &endpoint) {
		return answer.ErrorCode()
	}
	return ""
}

// reasonOf returns why a transaction was cancelled, as the code that a single request would have failed with. A condition
// that does not hold comes first, because to send the same again would not help then.
func reasonOf(cancelled *types.TransactionCanceledException) string {
	reason := codeCancelled
	for _, r := range cancelled.CancellationReasons {
		switch aws.ToString(r.Code) {
		case "", "None":
		case "ConditionalCheckFailed":
			return codeConditionFailed
		case "TransactionConflict":
			reason = codeConflict
		case "ItemCollectionSizeLimitExceeded":
			reason = codeItemCollection
		case "ProvisionedThroughputExceeded":
			reason = codeThroughput
		case "ThrottlingError":
			reason = codeThrottling
		case "ValidationError":
			reason = codeValidation
		}
	}
	return reason
}

func isCode(err error, code string) bool { return err != nil && codeOf(err) == code }

// classify decides by the code of an answer. Errors without one are about the connection or the credentials.
func classify(op operation, code string) (advice string, sentinel error) {
	switch code {
	case codeNotFound:
		return "create the table, for which there is CreateTable, or check its name, the region and the account",
			core.ErrUnavailable
	case codeAccessDenied:
		const advice = "grant the credentials the permissions that the package documentation lists, for this table"
		if op.verb != reading("").verb {
			return advice, core.ErrReadOnly
		}
		return advice, core.ErrUnavailable
	case codeConflict, codeReplicaConflict, codeInProgress:
		return "other writers came first each time", core.ErrConflict
	case codeItemCollection:
		return "the table has a local secondary index, which limits a namespace to 10 GB", core.ErrTooLarge
	case codeValidation:
		return "", core.ErrInvalid
	case codeThroughput, codeThrottling, codeRequestLimit:
		return "the service is throttling: raise the capacity of the table", core.ErrUnavailable
	}
	switch {
	case isExpired(code):
		return "the credentials have expired: renew them, or check the clock", core.ErrUnavailable
	case isUnauthenticated(code):
		return "check the credentials, and that they belong to the region", core.ErrUnavailable
	}
	return "", core.ErrUnavailable
}

func isExpired(code string) bool {
	switch code {
	case "ExpiredTokenException", "ExpiredToken", "RequestExpired", "RequestTimeTooSkewed", "TokenRefreshRequired":
		return true
	}
	return false
}

func isUnauthenticated(code string) bool {
	switch code {
	case "UnrecognizedClientException", "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature",
		"IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"InvalidClientTokenId", "AuthFailure", "NotAuthorized", "InvalidAccessKeyId", "OptInRequired":
		return true
	}
	return false
}

// isTransient reports whether the code is of a fault of the service that may be over a moment later.
func isTransient(code string) bool {
	switch code {
	case "InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestTimeout":
		return true
	}
	return false
}

// isRefusal reports whether the service wants the same request to be sent again: it is throttling, or there is a transaction on
// the item.
func isRefusal(err error) bool {
	switch codeOf(err) {
	case codeThroughput, codeThrottling, codeRequestLimit, codeLimitExceeded, "Throttling",
		codeConflict, codeReplicaConflict, codeInProgress:
		return true
	}
	return errors.Is(err, errUnprocessed)
}

// printable returns an error's text without what may be secret: an URL, and the message about a refused signature, in
// which the service repeats the signed headers, a session token among them.
func printable(err error) string {
	var endpoint credentialsEndpointError
	if errors.As(err, &endpoint) {
		text := fmt.Sprintf("the endpoint for credentials answered with HTTP status %d", endpoint.HTTPStatusCode())
		if code := endpoint.ErrorCode(); code != "" { // without one, the message is whatever the body was
			text += fmt.Sprintf(": %.100s: %.200s", code, endpoint.ErrorMessage())
		}
		return text
	}
	var answer smithy.APIError
	if errors.As(err, &answer) {
		code, message := answer.ErrorCode(), answer.ErrorMessage()
		if message == "" || isUnauthenticated(code) || isExpired(code) {
			return code
		}
		return code + ": " + message
	}
	var sending *url.Error
	if errors.As(err, &sending) {
		return sending.Err.Error()
	}
	return err.Error()
}
