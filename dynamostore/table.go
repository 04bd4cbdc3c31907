package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// CreateTable makes a table for stores, with payment on demand and without any expiry of items, and waits until it can be
// used, for two minutes at most. A table of that name that exists and fits is left as it is and is no error. One with other
// keys is left as it is too, and is an error wrapping [core.ErrIncompatible].
func CreateTable(ctx context.Context, client *dynamodb.Client, table string) error {
	if ctx == nil {
		return errNilContext()
	}
	if client == nil || table == "" {
		return fmt.Errorf("dynamostore: %w: CreateTable needs a client and the name of a table", core.ErrInvalid)
	}
	const limit = 2 * time.Minute
	s, creating := makeSession(client, table, Options{}, nil), operation{verb: "creating"}
	_, err := send(ctx, s, creating, client.CreateTable, &dynamodb.CreateTableInput{
		TableName:   &table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(namespaceAttribute), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(keyAttribute), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(namespaceAttribute), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(keyAttribute), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil && !isCode(err, codeInUse) {
		return err
	}
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 2*time.Second
		o.ClientOptions = append(o.ClientOptions, s.perRequest)
	})
	output, err := waiter.WaitForOutput(ctx, &dynamodb.DescribeTableInput{TableName: &table}, limit)
	switch {
	case err != nil && ended(ctx) != nil:
		return ended(ctx)
	case err != nil:
		return s.translate(creating, err)
	}
	if found := describeKeys(output.Table); found != wantedKeys {
		return errOtherKeys(table, found, errors.New("the table exists"))
	}
	return nil
}

// checkTable returns an error if the table has other keys than the layout. It asks in a way that only the right keys allow:
// a table whose keys are attributes of the layout in another arrangement would accept items, and overwrite one by another.
// Without permission to ask, nothing is known.
func (s *session) checkTable(ctx context.Context) error {
	mark := s.keys.inited()
	_, err := send(ctx, s, reading(mark.namespace), s.client.Query, &dynamodb.QueryInput{
		TableName: &s.table, Limit: aws.Int32(1),
		KeyConditionExpression:    aws.String("#namespace = :mark AND begins_with(#key, :mark)"),
		ExpressionAttributeNames:  map[string]string{"#namespace": namespaceAttribute, "#key": keyAttribute},
		ExpressionAttributeValues: attributes{":mark": &types.AttributeValueMemberS{Value: mark.key}},
	})
	switch {
	case isCode(err, codeValidation):
		found := "not these"
		output, describing := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, s.perRequest)
		if describing == nil && output.Table != nil {
			found = describeKeys(output.Table)
		}
		return errOtherKeys(s.table, found, err)
	case err != nil && !isCode(err, codeAccessDenied):
		return err
	}
	s.checked.Store(true)
	return nil
}

func errOtherKeys(table, found string, cause error) error {
	text := fmt.Sprintf("dynamostore: table %s: %v: its keys must be %s, and are %s: choose another table, or make one with "+
		"CreateTable", table, core.ErrIncompatible, wantedKeys, found)
	return &storeError{text: text, sentinel: core.ErrIncompatible, cause: cause}
}

const wantedKeys = "namespace (HASH, S) and key (RANGE, S)"

// describeKeys names the attributes of a table's key in the form of wantedKeys.
func describeKeys(table *types.TableDescription) string {
	typeOf := make(map[string]types.ScalarAttributeType)
	for _, definition := range table.AttributeDefinitions {
		typeOf[aws.ToString(definition.AttributeName)] = definition.AttributeType
	}
	elements := make([]string, 0, len(table.KeySchema))
	for _, element := range table.KeySchema {
		name := aws.ToString(element.AttributeName)
		elements = append(elements, fmt.Sprintf("%s (%s, %s)", name, element.KeyType, typeOf[name]))
	}
	return strings.Join(elements, " and ")
}
