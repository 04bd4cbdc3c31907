package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/conformance/internal/testrun"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestSuite_BigSegmentFaults_FailWhereMeant(t *testing.T) {
	for _, ft := range []fault{
		{
			name: "exclude beats include",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.changing(func(p *core.BigSegmentPatch) {
					if len(p.Excluded.Add) > 0 {
						p.Included.Remove = append(p.Included.Remove, p.Excluded.Add...)
					}
				})
			},
			must: []string{"Write/IncludeBeatsExclude"},
		},
		{
			name:      "ignores the cursor",
			injectBig: func(_ testing.TB, f *faultyBig) { f.onApplyPatch = f.atCursor },
			must:      []string{"Cursor/PatchAtAnotherCursorChangesNothing", "Cursor/SamePatchAgainChangesNothing"},
			may: []string{
				"Cursor/TwoWritersOneWins", "Cursor/PatchWithoutChangesMovesTheCursor", "Cursor/LatePatchWritesNothingMore",
				"Cursor/WritersAtOneCursorAgree",
			},
		},
		{
			name: "moves the cursor although the patch does not fit",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					applied, err := f.BigSegments.ApplyPatch(ctx, p)
					if err == nil && !applied {
						_, err = f.atCursor(ctx, core.BigSegmentPatch{SegmentRef: p.SegmentRef, Version: p.Version})
					}
					return applied, err
				}
			},
			must: []string{"Cursor/PatchAtAnotherCursorChangesNothing"},
			may: []string{
				"Cursor/TwoWritersOneWins", "Cursor/PatchWithoutChangesMovesTheCursor", "Cursor/LatePatchWritesNothingMore",
				"Cursor/WritersAtOneCursorAgree",
			},
		},
		{
			name: "applies a patch that does not fit without moving the cursor",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					applied, err := f.BigSegments.ApplyPatch(ctx, p)
					if err == nil && !applied {
						cursor, _ := f.BigSegments.Cursor(ctx)
						p.PreviousVersion, p.Version = cursor, cursor
						_, err = f.BigSegments.ApplyPatch(ctx, p)
					}
					return applied, err
				}
			},
			must: []string{"Cursor/PatchAtAnotherCursorChangesNothing"},
			may:  []string{"Cursor/LatePatchWritesNothingMore", "Cursor/WritersAtOneCursorAgree"},
		},
		{
			name: "says applied of every patch",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					_, err := f.BigSegments.ApplyPatch(ctx, p)
					return err == nil, err
				}
			},
			must: []string{"Cursor/PatchAtAnotherCursorChangesNothing", "Cursor/TwoWritersOneWins"},
			may: []string{
				"Cursor/SamePatchAgainChangesNothing", "Cursor/PatchWithoutChangesMovesTheCursor",
				"Cursor/LatePatchWritesNothingMore", "Cursor/WritersAtOneCursorAgree",
			},
		},
		{
			name: "compares cursors and then writes",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					cursor, err := f.BigSegments.Cursor(ctx)
					if err != nil || cursor != p.PreviousVersion {
						return false, err
					}
					f.state.awaitAnother()
					return f.atCursor(ctx, p)
				}
			},
			must: []string{"Cursor/TwoWritersOneWins"},
		},
		{
			name: "takes cursors for numbers",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onCursor = func(ctx context.Context) (string, error) {
					cursor, err := f.BigSegments.Cursor(ctx)
					if cursor == "1e1" {
						cursor = "10"
					}
					return cursor, err
				}
			},
			must: []string{"Cursor/IsTextNotANumber"},
		},
		{
			name: "wants a segment of a patch that only moves the cursor",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					if p.SegmentRef == "" {
						return false, core.ErrInvalid
					}
					return f.BigSegments.ApplyPatch(ctx, p)
				}
			},
			must: []string{"Cursor/PatchWithoutChangesMovesTheCursor"},
		},
		{
			name: "refuses a second patch of one version",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					if p.PreviousVersion == p.Version {
						return false, nil
					}
					return f.BigSegments.ApplyPatch(ctx, p)
				}
			},
			must: []string{"Cursor/SeveralPatchesOfOneVersion", "Cursor/SamePatchAgainChangesNothing"},
			may: []string{
				"Cursor/PatchWithoutChangesMovesTheCursor", "Cursor/LatePatchWritesNothingMore",
				"Cursor/WritersAtOneCursorAgree",
			},
		},
		{
			name: "does not remove",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.changing(func(p *core.BigSegmentPatch) { p.Included.Remove, p.Excluded.Remove = nil, nil })
			},
			wide: true,
			must: []string{"Write/AddAndRemove"},
		},
		{
			name:      "forgets exclusions",
			injectBig: func(_ testing.TB, f *faultyBig) { f.changing(func(p *core.BigSegmentPatch) { p.Excluded.Add = nil }) },
			wide:      true,
			must:      []string{"Write/MembershipRoundTrip"},
		},
		{
			name: "forgets generations",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.changing(func(p *core.BigSegmentPatch) { p.SegmentRef = strings.Replace(p.SegmentRef, ".g2", ".g1", 1) })
			},
			must: []string{"Write/SegmentsAreSeparate"},
		},
		{
			name: "takes hashes in any case",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.changing(func(p *core.BigSegmentPatch) {
					var lower []string
					for _, hash := range p.Included.Add {
						lower = append(lower, strings.ToLower(hash))
					}
					p.Included.Add = append(p.Included.Add, lower...)
				})
			},
			must: []string{"Write/ContextsAreSeparate"},
			may:  []string{"Write/LargePatch"},
		},
		{
			name: "takes keys in references for patterns",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.changing(func(p *core.BigSegmentPatch) { p.SegmentRef = strings.TrimSpace(p.SegmentRef) })
			},
			must: []string{"Write/AwkwardSegmentReferences"},
		},
		{
			name: "cuts large patches",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.changing(func(p *core.BigSegmentPatch) {
					const limit = 15
					p.Included.Add = p.Included.Add[:min(len(p.Included.Add), limit)]
				})
			},
			must: []string{"Write/LargePatch"},
			may:  []string{"Cursor/LatePatchWritesNothingMore", "Cursor/WritersAtOneCursorAgree"},
		},
		{
			name: "an unknown context is an error",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onMembership = func(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
					membership, err := f.BigSegments.Membership(ctx, hash)
					if err == nil && membership.Len() == 0 {
						err = core.ErrUnavailable
					}
					return membership, err
				}
			},
			wide: true,
			must: []string{"Read/UnknownContextHasEmptyMembership"},
		},
		{
			name: "never updated is an error",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onMetadata = func(ctx context.Context) (core.BigSegmentMetadata, error) {
					metadata, err := f.BigSegments.Metadata(ctx)
					if err == nil && metadata.LastUpToDate == 0 {
						err = core.ErrUnavailable
					}
					return metadata, err
				}
			},
			wide: true,
			must: []string{"Read/NeverUpdatedHasZeroMetadata"},
		},
		{
			name: "patches count as being up to date",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					applied, err := f.BigSegments.ApplyPatch(ctx, p)
					if applied {
						err = f.SetLastUpToDate(ctx, ldtime.UnixMillisNow())
					}
					return applied, err
				}
			},
			must: []string{"Write/MetadataAndPatchesAreIndependent"},
		},
		{
			name: "rounds to seconds",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onMetadata = func(ctx context.Context) (core.BigSegmentMetadata, error) {
					metadata, err := f.BigSegments.Metadata(ctx)
					if metadata.LastUpToDate > 1_000_000 {
						metadata.LastUpToDate -= metadata.LastUpToDate % 1000
					}
					return metadata, err
				}
			},
			must: []string{"Write/LastUpToDateRoundTrip"},
		},
		{
			name: "caches memberships",
			injectBig: func(_ testing.TB, f *faultyBig) {
				cache := make(map[string]core.BigSegmentMembership)
				var mu sync.Mutex
				f.onMembership = func(ctx context.Context, hash string) (core.BigSegmentMembership, error) {
					membership, err := f.BigSegments.Membership(ctx, hash)
					mu.Lock()
					defer mu.Unlock()
					if cached, known := cache[hash]; known && err == nil {
						return cached, nil
					}
					if err == nil {
						cache[hash] = membership
					}
					return membership, err
				}
			},
			wide: true,
			must: []string{"Sharing/WritesAreSeenByOthersAtOnce"},
		},
		{
			name: "knows no prefixes",
			injectBig: func(_ testing.TB, f *faultyBig) {
				const prefix = "the same for all"
				f.BigSegments = memorystore.NewBigSegments(f.db, &memorystore.Options{Prefix: prefix})
			},
			wide: true,
			must: []string{"Sharing/PrefixesAreSeparate"},
		},
		{
			name:      "works after Close",
			injectBig: func(_ testing.TB, f *faultyBig) { f.onClose = func() error { return nil } },
			must:      []string{"Lifecycle/EveryMethodReturnsErrClosedAfterwards"},
		},
		{
			name: "fails when closed twice",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onClose = func() error {
					if _, err := f.BigSegments.Cursor(context.Background()); err != nil {
						return err
					}
					return f.BigSegments.Close()
				}
			},
			must: []string{"Lifecycle/CloseIsIdempotent"},
		},
		{
			name: "leaks a goroutine",
			injectBig: func(t testing.TB, _ *faultyBig) {
				end := make(chan struct{})
				go func() { <-end }()
				t.Cleanup(func() { close(end) })
			},
			must: []string{"Lifecycle/CloseLeavesNoGoroutine"},
		},
		{
			name: "panics on a nil context",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onCursor = func(ctx context.Context) (string, error) {
					if err := ctx.Err(); err != nil {
						return "", err
					}
					return f.BigSegments.Cursor(ctx)
				}
			},
			must: []string{"Lifecycle/NilContextIsRefused"},
		},
		{
			name: "wraps the context's error",
			injectBig: func(_ testing.TB, f *faultyBig) {
				f.onMetadata = func(ctx context.Context) (core.BigSegmentMetadata, error) {
					metadata, err := f.BigSegments.Metadata(ctx)
					if err != nil && !errors.Is(err, core.ErrClosed) {
						err = fmt.Errorf("metadata: %w", err)
					}
					return metadata, err
				}
			},
			must: []string{"Lifecycle/EndedContextIsReported"},
		},
	} {
		t.Run(ft.name, func(t *testing.T) {
			db, state := new(memorystore.Database), &faultState{meet: make(chan struct{})}
			h := BigSegmentsHarness{Writer: true, Open: func(_ testing.TB, prefix string) core.BigSegmentStore {
				f := &faultyBig{
					BigSegments: memorystore.NewBigSegments(db, &memorystore.Options{Prefix: prefix}), db: db, prefix: prefix,
					state: state,
				}
				ft.injectBig(t, f)
				return f
			}}
			ft.requireFound(t, func(t tester) { runBigSegments(t, h, tinySizes()) })
		})
	}
}

func TestRunBigSegments_ReaderOnly_Passes(t *testing.T) {
	db := new(memorystore.Database)
	RunBigSegments(t, BigSegmentsHarness{Open: func(_ testing.TB, prefix string) core.BigSegmentStore {
		return struct{ core.BigSegmentStore }{memorystore.NewBigSegments(db, &memorystore.Options{Prefix: prefix})}
	}})
}

func TestSuite_WriterNotDeclared_FailsWhereMeant(t *testing.T) {
	h := bigSegmentsHarness(new(memorystore.Database))
	h.Writer = false
	testrun.Record(t, nil, func(t tester) { runBigSegments(t, h, tinySizes()) }).RequireFailures(t, []string{"Read/WriterIsAsDeclared"}, nil)
}
