package dynamostore

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// The manager takes for stale what is corrupt, and for an outage everything else.
func TestBigSegments_Metadata_NotATime_IsCorrupt(t *testing.T) {
	client, table := bareClient(t), freshTable(t)
	store := openBigSegments(t, table, "")
	defer func() { require.NoError(t, store.Close()) }()
	const meta = "big_segments_metadata"
	for name, value := range map[string]types.AttributeValue{
		"text": text("soon"), "number as text": text("5"), "negative": number("-5"), "fraction": number("1.5"),
		"too large": number("99999999999999999999"), "set": set("5"), "null": &types.AttributeValueMemberNULL{Value: true},
	} {
		putRaw(t, client, table, meta, meta, attributes{"synchronizedOn": value})
		_, err := store.Metadata(t.Context())
		require.ErrorIs(t, err, core.ErrCorrupt, name)
	}
}
