package certification

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
)

const (
	scaleReaders = 40
	scaleFlags   = 2000
	scaleInUse   = 200
	scaleTTL     = 15 * time.Second
)

// herd is many readers of one Redis server, each with connections of its own.
type herd struct {
	*redisServer

	prefix   string
	readers  []*cleat.Client
	versions []int // of each flag
	writer   adapter
}

func scaleKey(n int) string { return fmt.Sprintf("flag-%04d", n) }

// scaleFlag is a flag of 2 KB that has its version as its value.
func scaleFlag(n, version int) string {
	return fmt.Sprintf(`{"key":%q,"version":%d,"on":true,"fallthrough":{"variation":0},"variations":[%d],"padding":%q}`,
		scaleKey(n), version, version, strings.Repeat("x", flagSize-100))
}

func startHerd(t *testing.T) *herd {
	h := &herd{
		redisServer: startRedis(t, "--appendonly", "yes", "--appendfsync", "everysec"),
		prefix:      randomPrefix(), versions: make([]int, scaleFlags),
	}
	values := make([]any, 0, 2*scaleFlags)
	for n := range scaleFlags {
		h.versions[n] = 1
		values = append(values, scaleKey(n), scaleFlag(n, 1))
	}
	require.NoError(t, h.admin.HSet(t.Context(), h.prefix+":features", values...).Err())
	require.NoError(t, h.admin.Set(t.Context(), h.prefix+":$inited", "", 0).Err())
	h.writer = h.open(t, h.address, h.prefix, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = h.writer.Close() })
	for range scaleReaders {
		client, err := cleat.New(t.Context(), cleat.Config{
			Daemon: true, Store: h.open(t, h.address, h.prefix, slog.New(slog.DiscardHandler)), Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = client.Close() })
		h.readers = append(h.readers, client)
	}
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for _, reader := range h.readers {
		working.Go(func() {
			for ctx.Err() == nil {
				for n := range scaleInUse {
					_ = reader.IntVariation(context.Background(), scaleKey(n), user, defaultValue)
				}
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	t.Cleanup(func() { stop(); working.Wait() })
	return h
}

// sent returns how many bytes the server has sent since it was started.
func (h *herd) sent(t *testing.T) int {
	info, err := h.admin.Info(t.Context(), "stats").Result()
	require.NoError(t, err)
	_, after, found := strings.Cut(info, "total_net_output_bytes:")
	require.True(t, found)
	digits, _, _ := strings.Cut(after, "\r")
	bytes, err := strconv.Atoi(digits)
	require.NoError(t, err)
	return bytes
}

// foreign writes a new version of a flag as another SDK does.
func (h *herd) foreign(t *testing.T, n int) {
	h.versions[n]++
	require.NoError(t, h.write(t.Context(), h.prefix, scaleKey(n), scaleFlag(n, h.versions[n])))
}

// byCleat writes a new version of a flag as cleat does.
func (h *herd) byCleat(t *testing.T, n int) {
	h.versions[n]++
	_, err := h.writer.Upsert(t.Context(), core.Flags, scaleKey(n), core.SerializedItem{
		Version: h.versions[n], Data: []byte(scaleFlag(n, h.versions[n])),
	})
	require.NoError(t, err)
}

// arrivals returns, in order, how long it takes from now on until each reader has the flag's newest version.
func (h *herd) arrivals(within time.Duration, n int) []time.Duration {
	begin, all := time.Now(), make([]time.Duration, len(h.readers))
	var waiting sync.WaitGroup
	for i, reader := range h.readers {
		waiting.Go(func() {
			for all[i] = time.Since(begin); all[i] < within; all[i] = time.Since(begin) {
				if reader.IntVariation(context.Background(), scaleKey(n), user, defaultValue) == h.versions[n] {
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	waiting.Wait()
	slices.Sort(all)
	return all
}

// wrong returns how many values of the flags in use are not the newest.
func (h *herd) wrong() (wrong int) {
	for _, reader := range h.readers {
		for n := range scaleInUse {
			if reader.IntVariation(context.Background(), scaleKey(n), user, defaultValue) != h.versions[n] {
				wrong++
			}
		}
	}
	return wrong
}

const megabyte = 1e6

// A watch tells readers what to read again. What foreign writers write is told by kind only, and would have each reader read all.
func TestScale_Redis(t *testing.T) {
	if !given.certify || !given.only.MatchString("redis/scale") && !strings.Contains(given.only.String(), "redis/scale") {
		t.Skip("done with -args -certify only")
	}
	h := startHerd(t)
	var figures []Figure
	note := func(name, value, goal string, met bool) {
		f := Figure{Name: name, Value: value, Goal: goal, Met: met}
		fmt.Printf("redis/scale: %+v\n", f)
		figures = append(figures, f)
	}
	time.Sleep(20 * time.Second) // first reads
	for name, measure := range map[string]func(*testing.T, noting){
		"changes": h.followForeignWriter, "single changes": h.followSingleChanges, "restarts": h.surviveRestarts,
	} {
		if asked("redis/scale " + name) {
			measure(t, note)
		}
	}
	keep(t, Part{Kind: "redis", Figures: figures})
}

type noting func(name, value, goal string, met bool)

// followForeignWriter measures what the server sends while another SDK changes flags, and how long readers are behind.
func (h *herd) followForeignWriter(t *testing.T, note noting) {
	const (
		seconds  = 30
		meanGoal = 5 * megabyte
	)
	first := h.sent(t)
	last, worst := first, 0
	for range seconds {
		for range 2 {
			h.foreign(t, rand.N(scaleInUse)) //nolint:gosec // nothing secret
			time.Sleep(500 * time.Millisecond)
		}
		now := h.sent(t)
		worst, last = max(worst, now-last), now
	}
	ended, mean := time.Now(), (last-first)/seconds
	for h.wrong() > 0 && time.Since(ended) < 2*scaleTTL {
		time.Sleep(50 * time.Millisecond)
	}
	behind := time.Since(ended)
	note(fmt.Sprintf("what Redis sends a second to %d readers of %d flags of 2 KB, %d in use, while a foreign writer writes two a second",
		scaleReaders, scaleFlags, scaleInUse), fmt.Sprintf("%s in the mean, %s in the worst second", mb(mean), mb(worst)),
		"≤ 5 MB in the mean", mean <= meanGoal)
	note("until all of them have every change", behind.Round(time.Millisecond).String()+" after the last one", "≤ 15 s, the time to live",
		behind <= scaleTTL)
}

// followSingleChanges measures how soon readers have a change in quiet times.
func (h *herd) followSingleChanges(t *testing.T, note noting) {
	var medians []time.Duration
	for range 3 {
		time.Sleep(time.Minute)
		h.foreign(t, 7)
		all := h.arrivals(2*scaleTTL, 7)
		medians = append(medians, all[len(all)/2])
	}
	worst := slices.Max(medians)
	note("until the median reader has a foreign change in a quiet minute, the worst of three", round(worst).String(), "≤ 1 s", worst <= time.Second)
	medians = nil
	for range 10 {
		time.Sleep(time.Second)
		h.byCleat(t, 8)
		all := h.arrivals(2*scaleTTL, 8)
		medians = append(medians, all[len(all)/2])
	}
	slices.Sort(medians)
	median := medians[len(medians)/2]
	note("the same for a change by cleat, the median of ten", round(median).String(), "≤ 100 ms", median <= 100*time.Millisecond)
}

// surviveRestarts measures what the server sends when it comes back with its data.
func (h *herd) surviveRestarts(t *testing.T, note noting) {
	const (
		restarts = 6
		seconds  = 20
		goal     = 10 * megabyte
	)
	var firsts, worsts []int
	wrong := 0
	for range restarts {
		h.container.Stop(t)
		time.Sleep(2 * time.Second)
		h.container.Start(t)
		began, last, worst := time.Now(), 0, 0
		for second := range seconds {
			time.Sleep(time.Until(began.Add(time.Duration(second+1) * time.Second)))
			now := h.sent(t)
			if second == 0 {
				firsts = append(firsts, now)
			}
			worst, last = max(worst, now-last), now
		}
		worsts = append(worsts, worst)
		wrong += h.wrong()
	}
	slices.Sort(firsts)
	first := firsts[len(firsts)-1]
	note(fmt.Sprintf("what Redis sends them in the first second after a restart, the most of %d", restarts),
		fmt.Sprintf("%s (the others: %s to %s); %s in the worst second", mb(first), mb(firsts[0]), mb(firsts[len(firsts)-2]), mb(slices.Max(worsts))),
		"≤ 10 MB", first <= goal)
	note("values that are wrong 20 s after it", strconv.Itoa(wrong), "0", wrong == 0)
}

func mb(bytes int) string { return fmt.Sprintf("%.1f MB", float64(bytes)/megabyte) }
