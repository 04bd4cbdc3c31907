package bigsegmentsuite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/launchdarkly/go-sdk-common/v3/ldtime"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/memorystore"
)

func TestSuite_Faults_FailWhereMeant(t *testing.T) {
	for _, ft := range []struct {
		name   string
		inject func(t testing.TB, f *faulty)
		// must are the subtests that have to fail; may are those that can also notice.
		must, may []string
		// wide says that most subtests rely on what is broken, so that only those in must run.
		wide bool
	}{
		{
			name: "exclude beats include",
			inject: func(_ testing.TB, f *faulty) {
				f.changing(func(p *core.BigSegmentPatch) {
					if len(p.Excluded.Add) > 0 {
						p.Included.Remove = append(p.Included.Remove, p.Excluded.Add...)
					}
				})
			},
			must: []string{"Write/IncludeBeatsExclude"},
		},
		{
			name:   "ignores the cursor",
			inject: func(_ testing.TB, f *faulty) { f.onApplyPatch = f.atCursor },
			must:   []string{"Cursor/PatchAtAnotherCursorChangesNothing", "Cursor/SamePatchAgainChangesNothing"},
			may: []string{
				"Cursor/TwoWritersOneWins", "Cursor/PatchWithoutChangesMovesTheCursor", "Cursor/LatePatchWritesNothingMore",
				"Cursor/WritersAtOneCursorAgree",
			},
		},
		{
			name: "moves the cursor although the patch does not fit",
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
				f.onApplyPatch = func(ctx context.Context, p core.BigSegmentPatch) (bool, error) {
					cursor, err := f.BigSegments.Cursor(ctx)
					if err != nil || cursor != p.PreviousVersion {
						return false, err
					}
					f.awaitAnother()
					return f.atCursor(ctx, p)
				}
			},
			must: []string{"Cursor/TwoWritersOneWins"},
		},
		{
			name: "takes cursors for numbers",
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
				f.changing(func(p *core.BigSegmentPatch) { p.Included.Remove, p.Excluded.Remove = nil, nil })
			},
			wide: true,
			must: []string{"Write/AddAndRemove"},
		},
		{
			name:   "forgets exclusions",
			inject: func(_ testing.TB, f *faulty) { f.changing(func(p *core.BigSegmentPatch) { p.Excluded.Add = nil }) },
			wide:   true,
			must:   []string{"Write/MembershipRoundTrip"},
		},
		{
			name: "forgets generations",
			inject: func(_ testing.TB, f *faulty) {
				f.changing(func(p *core.BigSegmentPatch) { p.SegmentRef = strings.Replace(p.SegmentRef, ".g2", ".g1", 1) })
			},
			must: []string{"Write/SegmentsAreSeparate"},
		},
		{
			name: "takes hashes in any case",
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
				f.changing(func(p *core.BigSegmentPatch) { p.SegmentRef = strings.TrimSpace(p.SegmentRef) })
			},
			must: []string{"Write/AwkwardSegmentReferences"},
		},
		{
			name: "cuts large patches",
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
				const prefix = "the same for all"
				f.BigSegments = memorystore.NewBigSegments(f.db, &memorystore.Options{Prefix: prefix})
			},
			wide: true,
			must: []string{"Sharing/PrefixesAreSeparate"},
		},
		{
			name:   "works after Close",
			inject: func(_ testing.TB, f *faulty) { f.onClose = func() error { return nil } },
			must:   []string{"Lifecycle/EveryMethodReturnsErrClosedAfterwards"},
		},
		{
			name: "fails when closed twice",
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(t testing.TB, _ *faulty) {
				end := make(chan struct{})
				go func() { <-end }()
				t.Cleanup(func() { close(end) })
			},
			must: []string{"Lifecycle/CloseLeavesNoGoroutine"},
		},
		{
			name: "panics on a nil context",
			inject: func(_ testing.TB, f *faulty) {
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
			inject: func(_ testing.TB, f *faulty) {
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
			var only []string
			if ft.wide {
				only = ft.must
			}
			record(t, harness(func(f *faulty) { ft.inject(t, f) }), only...).RequireFailures(t, ft.must, ft.may)
		})
	}
}

func TestSuite_WriterNotDeclared_FailsWhereMeant(t *testing.T) {
	h := harness(func(*faulty) {})
	h.Writer = false
	record(t, h).RequireFailures(t, []string{"Read/WriterIsAsDeclared"}, nil)
}

func TestSuite_HarnessWithoutStores_FailsEverywhere(t *testing.T) {
	o := record(t, Harness{Writer: true, Open: func(testing.TB, string) core.BigSegmentStore { return nil }})
	require.Contains(t, o.Ran, "Read/NeverUpdatedHasZeroMetadata")
	for _, name := range o.Ran {
		if strings.Contains(name, "/") { // others are groups
			require.Contains(t, o.Failed, name)
		}
	}
}
