package dynamostore

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// condition is what must hold for a write to happen.
type condition struct {
	expression string
	names      map[string]string
	values     attributes
}

func itemNames() map[string]string {
	return map[string]string{"#version": versionAttribute, "#item": itemAttribute}
}

// olderThan holds if there is no item, or one without a version, or one with a smaller one.
func olderThan(version int) condition {
	return condition{
		expression: "NOT attribute_type(#version, :number) OR #version < :version",
		names:      map[string]string{"#version": versionAttribute},
		values: attributes{
			":number":  &types.AttributeValueMemberS{Value: "N"},
			":version": &types.AttributeValueMemberN{Value: strconv.Itoa(version)},
		},
	}
}

// unchanged holds if an item's version and JSON are those that were seen.
func unchanged(seen attributes) condition {
	c := condition{names: itemNames(), values: attributes{}}
	var terms []string
	for _, name := range []string{versionAttribute, itemAttribute} {
		if value := seen[name]; value != nil {
			c.values[":"+name] = value
			terms = append(terms, "#"+name+" = :"+name)
		} else {
			terms = append(terms, "attribute_not_exists(#"+name+")")
		}
	}
	c.expression = strings.Join(terms, " AND ")
	if len(c.values) == 0 {
		c.values = nil
	}
	return c
}
