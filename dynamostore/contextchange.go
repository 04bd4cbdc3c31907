package dynamostore

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/cleatdev/cleat/core"
)

// Verbs of update expressions that change sets.
const (
	verbAdd    = "ADD"
	verbRemove = "DELETE"
)

// contextChange is what a patch does to one context: a verb for each of its sets, or none.
type contextChange struct {
	key                primaryKey
	included, excluded string
}

// contextChanges merges what a patch says about each context, because a transaction may have an item once only. What it both
// adds and removes is removed.
func contextChanges(keys keys, patch core.BigSegmentPatch) []*contextChange {
	var all []*contextChange
	byHash := map[string]*contextChange{}
	each := func(hashes []string, note func(*contextChange)) {
		for _, hash := range hashes {
			c := byHash[hash]
			if c == nil {
				c = &contextChange{key: keys.user(hash)}
				byHash[hash] = c
				all = append(all, c)
			}
			note(c)
		}
	}
	each(patch.Included.Add, func(c *contextChange) { c.included = verbAdd })
	each(patch.Included.Remove, func(c *contextChange) { c.included = verbRemove })
	each(patch.Excluded.Add, func(c *contextChange) { c.excluded = verbAdd })
	each(patch.Excluded.Remove, func(c *contextChange) { c.excluded = verbRemove })
	return all
}

// added returns to how many sets the change adds.
func (c *contextChange) added() int {
	return strings.Count(c.included+c.excluded, verbAdd)
}

func (c *contextChange) update(table *string, ref string) *types.Update {
	names := map[string]string{}
	var clauses []string
	for _, verb := range []string{verbAdd, verbRemove} {
		var terms []string
		for _, set := range []struct{ name, verb string }{{includedAttribute, c.included}, {excludedAttribute, c.excluded}} {
			if set.verb == verb {
				names["#"+set.name] = set.name
				terms = append(terms, "#"+set.name+" :reference")
			}
		}
		if len(terms) > 0 {
			clauses = append(clauses, verb+" "+strings.Join(terms, ", "))
		}
	}
	expression := strings.Join(clauses, " ")
	return &types.Update{
		TableName: table, Key: c.key.attributes(), UpdateExpression: &expression, ExpressionAttributeNames: names,
		ExpressionAttributeValues: attributes{":reference": &types.AttributeValueMemberSS{Value: []string{ref}}},
	}
}
