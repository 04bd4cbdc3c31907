package main

import (
	"context"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// callbackStore is a store of big segments whose content is the suite's.
type callbackStore struct{ uri string }

var _ core.BigSegmentStore = (*callbackStore)(nil)

func (s *callbackStore) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	var answer struct {
		LastUpToDate ldtime.UnixMillisecondTime `json:"lastUpToDate"`
	}
	err := callBack(ctx, s.uri+"/getMetadata", nil, &answer)
	return core.BigSegmentMetadata{LastUpToDate: answer.LastUpToDate}, err
}

func (s *callbackStore) Membership(ctx context.Context, contextHash string) (core.BigSegmentMembership, error) {
	var answer struct {
		Values map[string]bool `json:"values"`
	}
	err := callBack(ctx, s.uri+"/getMembership", map[string]string{"contextHash": contextHash}, &answer)
	var included, excluded []string
	for segment, isIncluded := range answer.Values {
		if isIncluded {
			included = append(included, segment)
		} else {
			excluded = append(excluded, segment)
		}
	}
	return core.NewBigSegmentMembership(included, excluded), err
}

func (s *callbackStore) Close() error { return nil }
