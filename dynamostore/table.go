package dynamostore

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// get reads an item; one that is not there has no attributes.
func (s *session) get(ctx context.Context, key primaryKey, strongly bool) (attributes, error) {
	output, err := read(ctx, s, func(ctx context.Context) (*dynamodb.GetItemOutput, error) {
		return s.client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: &s.table, Key: key.attributes(), ConsistentRead: &strongly,
		}, s.perRequest)
	})
	if err != nil {
		return nil, err
	}
	return output.Item, nil
}

// strongly reports how the caller wants reads to be.
func (s *session) strongly() bool { return !s.options.EventuallyConsistent }

// checkTable returns an error if the table has other keys than the layout. It asks in a way that only the right keys allow:
// a table whose keys are attributes of the layout in another arrangement would accept items, and overwrite one by another.
// Without permission to ask, nothing is known.
func (s *session) checkTable(ctx context.Context) error {
	if s.checked.Load() {
		return nil
	}
	condition, one := "#namespace = :mark AND begins_with(#key, :mark)", int32(1)
	_, err := s.page(ctx, &dynamodb.QueryInput{
		TableName: &s.table, KeyConditionExpression: &condition, Limit: &one,
		ExpressionAttributeNames:  map[string]string{"#namespace": namespaceAttribute, "#key": keyAttribute},
		ExpressionAttributeValues: attributes{":mark": &types.AttributeValueMemberS{Value: s.keys.inited().key}},
	})
	switch {
	case isCode(err, codeValidation):
		return &ownError{s.otherKeys(ctx, err)}
	case err != nil && !isCode(err, codeAccessDenied):
		return err
	}
	s.checked.Store(true)
	return nil
}

// otherKeys explains the refusal of a question that is right.
func (s *session) otherKeys(ctx context.Context, cause error) error {
	found := "not these"
	output, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, s.perRequest)
	if err == nil && output.Table != nil {
		found = describeKeys(output.Table)
	}
	return &storeError{text: errOtherKeys(s.table, found).Error(), sentinel: core.ErrIncompatible, cause: cause}
}

func errOtherKeys(table, found string) error {
	return fmt.Errorf("dynamostore: table %s: %w: its keys must be %s, and are %s: choose another table, "+
		"or make one with CreateTable", table, core.ErrIncompatible, wantedKeys, found)
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
