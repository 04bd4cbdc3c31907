package endtoend

import (
	"context"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
)

// excludeWins is a big segment store in which exclude beats include.
type excludeWins struct {
	bigStore
	excluded map[string]bool
}

func (s excludeWins) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	for _, hash := range patch.Excluded.Add {
		s.excluded[hash] = true
	}
	for _, hash := range patch.Excluded.Remove {
		delete(s.excluded, hash)
	}
	for hash := range s.excluded {
		patch.Included.Remove = append(patch.Included.Remove, hash)
		for i, added := range patch.Included.Add {
			if added == hash {
				patch.Included.Add = append(patch.Included.Add[:i:i], patch.Included.Add[i+1:]...)
				break
			}
		}
	}
	return s.bigStore.ApplyPatch(ctx, patch)
}

// alwaysUpToDate is a big segment store that never says when it was up to date, but that it is.
type alwaysUpToDate struct{ bigStore }

func (s alwaysUpToDate) Metadata(ctx context.Context) (core.BigSegmentMetadata, error) {
	metadata, err := s.bigStore.Metadata(ctx)
	metadata.LastUpToDate = ldtime.UnixMillisNow()
	return metadata, err
}

// neverRemoves is a big segment store in which contexts are added and never removed.
type neverRemoves struct{ bigStore }

func (s neverRemoves) ApplyPatch(ctx context.Context, patch core.BigSegmentPatch) (bool, error) {
	patch.Included.Remove, patch.Excluded.Remove = nil, nil
	return s.bigStore.ApplyPatch(ctx, patch)
}

func TestSuite_BigSegmentFaults_FailWhereMeant(t *testing.T) {
	t.Parallel()
	runFaults(t, []fault{
		{
			name:      "exclude beats include",
			injectBig: func(s bigStore) core.BigSegmentStore { return excludeWins{s, map[string]bool{}} },
			must:      []string{"BigSegments/MembershipDecides"},
		},
		{
			name:      "always up to date",
			injectBig: func(s bigStore) core.BigSegmentStore { return alwaysUpToDate{s} },
			must:      []string{"BigSegments/NeverFilledIsStale", "BigSegments/OutdatedIsStale"},
		},
		{
			name:      "never removes",
			injectBig: func(s bigStore) core.BigSegmentStore { return neverRemoves{s} },
			must:      []string{"BigSegments/MembershipDecides"},
		},
	})
}
