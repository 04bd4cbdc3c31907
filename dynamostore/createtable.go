package dynamostore

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// DefaultTableTimeout is the default of [TableOptions].
const DefaultTableTimeout = 2 * time.Minute

// TableOptions configures [CreateTable]. The zero value of each field means its default, and so does a nil *TableOptions.
type TableOptions struct {
	// Stream gives the table a stream of the keys that change, which Store.Watch follows.
	Stream bool
	// Timeout ends the waiting for the table to become usable; 0 means 2 min.
	Timeout time.Duration
}

// CreateTable makes a table for stores, with payment on demand and without any expiry of items, and waits until it can be
// used. A table of that name that exists and fits is left as it is and is no error. One with other keys, or without the
// stream that is wanted, is left as it is too, and is an error wrapping [core.ErrIncompatible].
func CreateTable(ctx context.Context, client *dynamodb.Client, table string, opts *TableOptions) error {
	if ctx == nil {
		return errNilContext()
	}
	if client == nil || table == "" {
		return fmt.Errorf("dynamostore: %w: CreateTable needs a client and the name of a table", core.ErrInvalid)
	}
	var options TableOptions
	if opts != nil {
		options = *opts
	}
	if options.Timeout < 0 {
		return fmt.Errorf("dynamostore: %w: Timeout %v is negative", core.ErrInvalid, options.Timeout)
	}
	setDefault(&options.Timeout, DefaultTableTimeout)
	defaults, err := new(Options).withDefaults()
	if err != nil {
		return err
	}
	s := makeSession(client, table, defaults, nil)
	op := operation{what: "creating table " + table, timeout: options.Timeout, write: true, unchecked: true}
	_, err = call(ctx, s, op, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.createTable(ctx, options)
	})
	return err
}

func (s *session) createTable(ctx context.Context, options TableOptions) error {
	input := &dynamodb.CreateTableInput{
		TableName:   &s.table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(namespaceAttribute), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(keyAttribute), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(namespaceAttribute), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(keyAttribute), KeyType: types.KeyTypeRange},
		},
	}
	if options.Stream {
		input.StreamSpecification = &types.StreamSpecification{
			StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly,
		}
	}
	_, err := write(ctx, s, func(ctx context.Context, _ int) (*dynamodb.CreateTableOutput, error) {
		return s.client.CreateTable(ctx, input, s.perRequest)
	})
	if err != nil && !isCode(err, codeInUse) {
		return err
	}
	return s.awaitTable(ctx, options)
}

// awaitTable waits until the table can be used, and looks whether it is the right one.
func (s *session) awaitTable(ctx context.Context, options TableOptions) error {
	waiter := dynamodb.NewTableExistsWaiter(s.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 2*time.Second
		o.ClientOptions = append(o.ClientOptions, s.perRequest)
	})
	output, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, options.Timeout)
	if err != nil {
		return err
	}
	if found := describeKeys(output.Table); found != wantedKeys {
		return &ownError{errOtherKeys(s.table, found)}
	}
	stream := output.Table.StreamSpecification
	if options.Stream && (stream == nil || !aws.ToBool(stream.StreamEnabled)) {
		return &ownError{fmt.Errorf("dynamostore: table %s: %w: it exists and has no stream: enable one",
			s.table, core.ErrIncompatible)}
	}
	return nil
}
