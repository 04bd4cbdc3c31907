package dynamostore

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"
)

const (
	// maxBatchItems is how many items DynamoDB accepts in a batch.
	maxBatchItems = 25

	// maxBatchBytes bounds the JSON of a batch. DynamoDB accepts requests of 16 MB, and the encoding of a request makes six
	// bytes of some characters.
	maxBatchBytes = 2 << 20

	// batchShare is which part of an Init's time one batch may take.
	batchShare = 4
)

// write writes or deletes what is not there as it should be, several batches at once, in no order.
func (p *initPlan) write(ctx context.Context, items []*plannedItem) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.session.options.InitConcurrency)
	for _, batch := range pack(items) {
		p.writing.Store(true)
		g.Go(func() error { return p.writeBatch(ctx, batch) })
	}
	return g.Wait()
}

// pack divides what is to be done into batches.
func pack(items []*plannedItem) [][]*plannedItem {
	var batches [][]*plannedItem
	var batch []*plannedItem
	size := 0
	for _, item := range items {
		if item.there || item.refusal != nil {
			continue
		}
		if len(batch) == maxBatchItems || len(batch) > 0 && size+len(item.item.Data) > maxBatchBytes {
			batches, batch, size = append(batches, batch), nil, 0
		}
		batch = append(batch, item)
		size += len(item.item.Data)
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches
}

// writeBatch writes a batch. If the server finds it invalid, its items are sent one by one, to find out which of them is
// too large.
func (p *initPlan) writeBatch(ctx context.Context, batch []*plannedItem) error {
	err := p.sendBatch(ctx, batch)
	if !isCode(err, codeValidation) {
		return err
	}
	if len(batch) == 1 {
		return batch[0].refuse(err)
	}
	for _, item := range batch {
		if err := p.writeBatch(ctx, []*plannedItem{item}); err != nil {
			return err
		}
	}
	return nil
}

// refuse notes that an item is too large, if that can be why the server refused it.
func (i *plannedItem) refuse(err error) error {
	if i.item.Data == nil || !borderline(i.primary, i.item) {
		return err
	}
	i.refusal = tooLarge(i.primary.namespace, i.kind, i.primary.key, i.item)
	return nil
}

func (i *plannedItem) request() types.WriteRequest {
	if i.item.Data == nil {
		return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: i.primary.attributes()}}
	}
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: marshalItem(i.primary, i.item)}}
}

// sendBatch sends a batch, and what the server left of it, until nothing is left.
func (p *initPlan) sendBatch(ctx context.Context, batch []*plannedItem) error {
	pending := make([]types.WriteRequest, len(batch))
	for i, item := range batch {
		pending[i] = item.request()
	}
	delays := &fullJitter{retries: p.session.initRetries()}
	_, err := retry(ctx, delays, func(int) (struct{}, error) {
		left, err := p.session.writeRequests(ctx, pending)
		if err != nil {
			return struct{}{}, err
		}
		if done := len(pending) - len(left); done > 0 {
			delays.progressed()
			p.count(batch, done)
		}
		if pending = left; len(left) > 0 {
			return struct{}{}, errUnprocessed
		}
		return struct{}{}, nil
	})
	return err
}

// count adds to the items that are known to be stored. A batch either writes or deletes.
func (p *initPlan) count(batch []*plannedItem, done int) {
	if batch[0].item.Data != nil {
		p.stored.Add(int64(done))
	}
}

// writeRequests sends a batch once and returns what the server did not do.
func (s *session) writeRequests(ctx context.Context, requests []types.WriteRequest) ([]types.WriteRequest, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.InitTimeout/batchShare)
	defer cancel()
	output, err := s.client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{s.table: requests},
	}, s.perRequest)
	if err != nil {
		return nil, err
	}
	var left []types.WriteRequest
	for _, unprocessed := range output.UnprocessedItems {
		left = append(left, unprocessed...)
	}
	return left, nil
}
