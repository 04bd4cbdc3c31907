package testsource

import (
	"github.com/launchdarkly/go-sdk-common/v3/ldattr"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
)

// Match returns a clause that holds if an attribute of the user has one of the values. An attribute that begins with a
// slash is a path, such as /address/city.
func Match(attribute string, values ...ldvalue.Value) ldmodel.Clause {
	return MatchKind(ldcontext.DefaultKind, attribute, values...)
}

// MatchKind is [Match] for contexts of another kind.
func MatchKind(kind ldcontext.Kind, attribute string, values ...ldvalue.Value) ldmodel.Clause {
	return ldbuilders.ClauseRefWithKind(kind, ldattr.NewRef(attribute), ldmodel.OperatorIn, values...)
}

// InSegment returns a clause that holds if the context is in one of the segments.
func InSegment(keys ...string) ldmodel.Clause { return ldbuilders.SegmentMatchClause(keys...) }

// Not returns a clause that holds if the given one does not. If the context has no such attribute, neither holds.
func Not(clause ldmodel.Clause) ldmodel.Clause { return ldbuilders.Negate(clause) }
