package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/pause"
)

// session is what a Store and a BigSegments have in common: a client and a table.
type session struct {
	keys    keys
	table   string
	options Options
	client  *dynamodb.Client
	release func() // lets go of what was made for the client; nil if the client is the caller's

	checked atomic.Bool // whether the table has the right keys is not asked any more

	life context.Context //nolint:containedctx // ends with Close
	end  context.CancelFunc
}

func newSession(ctx context.Context, client *dynamodb.Client, table string, opts *Options) (*session, error) {
	options, err := checkArguments(ctx, table, opts)
	if err != nil {
		return nil, err
	}
	if options.Region != "" || options.Endpoint != "" || options.Credentials != nil || options.HTTPClient != nil {
		return nil, fmt.Errorf("dynamostore: %w: Options.Region, Endpoint, Credentials and HTTPClient are for Open; "+
			"the client given has its own", core.ErrInvalid)
	}
	if client == nil {
		return nil, fmt.Errorf("dynamostore: %w: the client is nil", core.ErrInvalid)
	}
	return makeSession(client, table, options, nil), nil
}

func checkArguments(ctx context.Context, table string, opts *Options) (Options, error) {
	if ctx == nil {
		return Options{}, errNilContext()
	}
	options, err := opts.withDefaults()
	if err != nil {
		return Options{}, err
	}
	if table == "" {
		return Options{}, fmt.Errorf("dynamostore: %w: the name of the table is empty", core.ErrInvalid)
	}
	return options, ctx.Err()
}

func makeSession(client *dynamodb.Client, table string, options Options, release func()) *session {
	s := &session{keys: keys{options.Prefix}, table: table, options: options, client: client, release: release}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// close refuses every request that has not begun, so that none opens a connection after release has closed those that are
// idle. Connections in use are closed when their request has ended.
func (s *session) close() {
	s.end()
	if s.release != nil {
		s.release()
	}
}

// begin starts a call. The first one makes sure that the table is the right one.
func (s *session) begin(ctx context.Context) error {
	if err := s.usable(ctx); err != nil || s.checked.Load() {
		return err
	}
	return s.checkTable(ctx)
}

// usable returns why no request can be made.
func (s *session) usable(ctx context.Context) error {
	switch {
	case ctx == nil:
		return errNilContext()
	case s.life.Err() != nil:
		return fmt.Errorf("dynamostore: table %s: %w", s.table, core.ErrClosed)
	}
	return ended(ctx)
}

func errNilContext() error { return fmt.Errorf("dynamostore: %w: the context is nil", core.ErrInvalid) }

// ended returns the error of a context that has ended. The driver may see that a deadline has passed before the context does.
func ended(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has && !time.Now().Before(deadline) && ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// get reads an item; one that is not there has no attributes.
func (s *session) get(ctx context.Context, key primaryKey, strongly bool) (attributes, error) {
	output, err := send(ctx, s, reading(key.namespace), s.client.GetItem, &dynamodb.GetItemInput{
		TableName: &s.table, Key: key.attributes(), ConsistentRead: &strongly,
	})
	if err != nil {
		return nil, err
	}
	return output.Item, nil
}

// strongly reports how the caller wants reads to be.
func (s *session) strongly() bool { return !s.options.EventuallyConsistent }

// each calls visit with every item of a namespace.
func (s *session) each(
	ctx context.Context, namespace string, strongly bool, visit func(key string, stored attributes),
) error {
	input := &dynamodb.QueryInput{
		TableName: &s.table, ConsistentRead: &strongly,
		KeyConditionExpression:    aws.String("#namespace = :namespace"),
		ExpressionAttributeNames:  map[string]string{"#namespace": namespaceAttribute},
		ExpressionAttributeValues: attributes{":namespace": &types.AttributeValueMemberS{Value: namespace}},
	}
	for {
		output, err := send(ctx, s, reading(namespace), s.client.Query, input)
		if err != nil {
			return err
		}
		for _, stored := range output.Items {
			if key, ok := stored[keyAttribute].(*types.AttributeValueMemberS); ok {
				visit(key.Value, stored)
			}
		}
		if input.ExclusiveStartKey = output.LastEvaluatedKey; len(input.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// perRequest sets what holds for every request of a session, whether the client is the caller's or not.
//
// The SDK compares checksums only to log a warning, and logs it for every response without one, because it takes that for a
// checksum of 0 (https://github.com/aws/aws-sdk-go-v2/issues/3545). DynamoDB Local sends none with errors, of which a write
// that loses is one, and other compatible servers send none at all.
func (s *session) perRequest(o *dynamodb.Options) {
	o.Retryer = aws.NopRetryer{}
	o.HTTPClient = wholeBody{o.HTTPClient}
	o.DisableValidateResponseChecksum = true
}

// send makes a request, again and again as [patience] has it.
func send[In, Out any](
	ctx context.Context, s *session, op operation,
	method func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error), input *In,
) (output *Out, err error) {
	err = s.retry(ctx, op, &patience{}, func() error {
		output, err = method(ctx, input, s.perRequest)
		return err
	})
	return output, err
}

// retry calls try until it succeeds or is not worth repeating. Its errors are those that the store's methods return.
func (s *session) retry(ctx context.Context, op operation, p *patience, try func() error) error {
	p.begun = time.Now()
	for {
		if err := s.usable(ctx); err != nil {
			return s.endOf(op, p, err)
		}
		err := try()
		if err == nil {
			return nil
		}
		if err := ended(ctx); err != nil {
			return s.endOf(op, p, err)
		}
		if !p.again(ctx, err) {
			return s.translate(op, err)
		}
	}
}

// endOf returns the error of a request whose context has ended with err. A deadline that passes while the service refuses the
// request, again and again, is the service's fault, and the error says what to do about it.
func (s *session) endOf(op operation, p *patience, err error) error {
	if p.refusal != nil && errors.Is(err, context.DeadlineExceeded) {
		return s.translate(op, p.refusal)
	}
	return err
}

const (
	firstPause, longestPause = 25 * time.Millisecond, 5 * time.Second
	// retryTime is for how long a request is sent again that failed. A longer outage has to be seen by the caller.
	retryTime = 500 * time.Millisecond
	// maxAttempts is how often a request is sent without any progress that the service wants to be sent again.
	maxAttempts = 12
)

// patience says whether and when a request is sent again: within retryTime if it failed, and up to maxAttempts times if the
// service asked for it, because it is throttling or because of a transaction on the same item. The pauses grow and are fully
// jittered.
type patience struct {
	begun    time.Time
	failures int   // since the last progress
	refusal  error // the last one
}

// again waits for the moment of the next attempt, and reports whether there is one before the context's deadline.
func (p *patience) again(ctx context.Context, err error) bool {
	p.failures++
	wait := rand.N(min(firstPause<<(p.failures-1), longestPause))
	left := retryTime - time.Since(p.begun)
	switch {
	case !retryable(err) || p.failures == maxAttempts:
		return false
	case isRefusal(err):
		p.refusal, left = err, wait
	}
	if deadline, has := ctx.Deadline(); has {
		left = min(left, time.Until(deadline))
	}
	if wait > left {
		return false
	}
	_ = pause.For(ctx, wait)
	return true
}

// retryable reports whether the same request may succeed a moment later.
func retryable(err error) bool {
	if isRefusal(err) {
		return true
	}
	if code := codeOf(err); code != "" {
		return isTransient(code) || statusOf(err) >= 500
	}
	var network net.Error
	var sending *smithyhttp.RequestSendError
	return errors.As(err, &network) || errors.As(err, &sending) || statusOf(err) >= 500 ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// statusOf returns the HTTP status of a response, or 0.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}
