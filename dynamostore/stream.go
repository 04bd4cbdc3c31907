package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"

	"github.com/cleatdev/cleat/core"
)

var (
	// errNoShards is the error of a stream that is about to be enabled.
	errNoShards = errors.New("the stream of the table has no open shard yet")
	errEmpty    = errors.New("the answer does not describe what was asked for")
)

// findStream returns the ARN of the table's stream.
func (s *session) findStream(ctx context.Context) (arn string, err error) {
	output, err := read(ctx, s, func(ctx context.Context) (*dynamodb.DescribeTableOutput, error) {
		return s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, s.perRequest)
	})
	if err != nil {
		return "", err
	}
	if output.Table == nil {
		return "", errEmpty
	}
	if found := describeKeys(output.Table); found != wantedKeys {
		return "", &ownError{errOtherKeys(s.table, found)}
	}
	stream := output.Table.StreamSpecification
	if stream == nil || !aws.ToBool(stream.StreamEnabled) {
		return "", &ownError{fmt.Errorf("dynamostore: table %s: %w: it has no stream, without which changes by others cannot be "+
			"seen: enable one, for which the view type KEYS_ONLY suffices", s.table, core.ErrIncompatible)}
	}
	return aws.ToString(output.Table.LatestStreamArn), nil
}

// listShards returns the shards of the stream, those that ended in the last 24 hours included.
func (w *watcher) listShards(ctx context.Context, arn string) (shards []types.Shard, err error) {
	for input := (&dynamodbstreams.DescribeStreamInput{StreamArn: &arn}); ; {
		output, err := read(ctx, w.session, func(ctx context.Context) (*dynamodbstreams.DescribeStreamOutput, error) {
			return w.streams.DescribeStream(ctx, input, perStreamsRequest)
		})
		if err != nil {
			return nil, err
		}
		stream := output.StreamDescription
		if stream == nil {
			return nil, errEmpty
		}
		if stream.StreamStatus == types.StreamStatusDisabled || stream.StreamStatus == types.StreamStatusDisabling {
			return nil, errStreamEnded
		}
		shards = append(shards, stream.Shards...)
		if input.ExclusiveStartShardId = stream.LastEvaluatedShardId; input.ExclusiveStartShardId == nil {
			return shards, nil
		}
	}
}

// iterator returns a position in a shard.
func (w *watcher) iterator(ctx context.Context, arn, id string, from types.ShardIteratorType) (*string, error) {
	output, err := read(ctx, w.session, func(ctx context.Context) (*dynamodbstreams.GetShardIteratorOutput, error) {
		return w.streams.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
			StreamArn: &arn, ShardId: &id, ShardIteratorType: from,
		}, perStreamsRequest)
	})
	if err != nil {
		return nil, err
	}
	return output.ShardIterator, nil
}

// records reads a part of a shard. The output is nil if the service says that it is asked too often.
func (p *pursuit) records(ctx context.Context, iterator *string) (*dynamodbstreams.GetRecordsOutput, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return read(ctx, p.session, func(ctx context.Context) (*dynamodbstreams.GetRecordsOutput, error) {
		output, err := p.streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: iterator}, perStreamsRequest)
		if isThrottling(err) {
			return nil, nil //nolint:nilnil // to ask again at once would make it worse
		}
		return output, err
	})
}

// changeOf returns what a record of the stream says, unless it is about something else than an item under the prefix.
func (k keys) changeOf(record types.Record) (change core.Change, ok bool) {
	if record.Dynamodb == nil {
		return core.Change{}, false
	}
	namespace, isText := record.Dynamodb.Keys[namespaceAttribute].(*types.AttributeValueMemberS)
	key, isTextToo := record.Dynamodb.Keys[keyAttribute].(*types.AttributeValueMemberS)
	if !isText || !isTextToo {
		return core.Change{}, false
	}
	name, ours := strings.CutPrefix(namespace.Value, k.namespace(""))
	kind := core.DataKind(name)
	if !ours || kind.Validate() != nil {
		return core.Change{}, false // the mark, a big segment, or another prefix, all of which have no kind's name
	}
	return core.Change{Kind: kind, Key: key.Value}, true
}
