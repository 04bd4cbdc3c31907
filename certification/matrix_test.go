package certification

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/internal/secrettest"
	"github.com/cleatdev/cleat/internal/storetest"
)

const (
	warmUp = 2 * time.Second
	// startsAfter is when clients are started after the beginning of a fault.
	startsAfter = time.Second
	// settled is for how long the server has been well again when the trial ends.
	settled = 3 * time.Second
	// patience is for how long clients may be away after a fault. It is more than any goal.
	patience = 75 * time.Second
)

// modes are the cache modes on trial.
func modes() map[string]caching.Mode {
	return map[string]caching.Mode{
		"off": caching.Off(), "0.5 s": caching.TTL(time.Second / 2), "1 s": caching.TTL(time.Second),
		"15 s": caching.TTL(15 * time.Second), "forever": caching.Forever(),
	}
}

// clientsOnTrial are all kinds of clients.
func clientsOnTrial(started bool) (cells []Cell) {
	for _, generation := range []Generation{First, Second, Daemon} {
		for _, mode := range []string{"off", "0.5 s", "1 s", "15 s", "forever"} {
			cells = append(cells, Cell{Generation: generation, Cache: mode, Started: started})
		}
	}
	return cells
}

// run makes an injection and returns what was seen of each client.
func (i *injection) run(t *testing.T) *Result {
	s, inject, heal := i.start(t)
	result := &Result{Name: i.name, Lasts: i.lasts, Want: i.want}
	before, files := append(storetest.IgnoreProxies(), goleak.IgnoreCurrent(), // a proxy that was started again
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*Proxy).server"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*Proxy).freeBlocker")), openFiles(t)
	lines := &secrettest.Log{} // of all clients
	logger := slog.New(slog.NewTextHandler(lines, nil))

	foreign := randomPrefix()
	require.NoError(t, s.write(t.Context(), foreign, "theirs", `{"key":"theirs","version":7}`))
	theirs, err := s.read(t.Context(), foreign)
	require.NoError(t, err)

	start := func(cell Cell, address, prefix string) *trial {
		logger := logger.With("client", cell.Name())
		return newTrial(t, cell, modes()[cell.Cache], s.open(t, address, prefix, logger), prefix, logger)
	}
	fills := start(Cell{Generation: filler, Cache: "off"}, s.address, randomPrefix())
	startAll := func(cells []Cell) []*trial {
		trials := make([]*trial, len(cells))
		var starting sync.WaitGroup
		for n, cell := range cells {
			starting.Go(func() {
				prefix := randomPrefix()
				if cell.Generation == Daemon {
					prefix = fills.prefix
				}
				trials[n] = start(cell, s.way(), prefix)
			})
		}
		starting.Wait()
		return trials
	}
	trials := startAll(clientsOnTrial(false))
	memory := newTrial(t, Cell{Generation: First, Cache: "memory"}, caching.Mode{}, nil, "", logger)
	time.Sleep(warmUp)

	began := time.Now()
	inject()
	for _, c := range append(trials, memory) {
		c.count(began)
	}
	time.Sleep(startsAfter)
	started := startAll(clientsOnTrial(true))
	for _, c := range started {
		c.count(began)
	}
	trials = append(trials, started...)
	time.Sleep(time.Until(began.Add(i.lasts)))

	heal()
	healed := time.Now()
	for _, c := range trials {
		c.heal(healed)
	}
	awaitAll(trials, healed)
	time.Sleep(settled)
	for _, c := range append(trials, memory) {
		c.counts.Store(false)
	}
	fills.rest()
	var checking sync.WaitGroup
	for _, c := range trials {
		checking.Go(func() { c.check(s, fills) })
	}
	checking.Wait()
	for _, c := range append(trials, memory) {
		c.finish(t)
	}
	fills.finish(t)

	now, err := s.read(context.Background(), foreign)
	require.NoError(t, err)
	if len(now) > 0 || !i.want.Lost {
		require.Equal(t, theirs, now, "what is under another prefix")
	}
	logged := lines.Take()
	for _, secret := range s.secrets {
		require.NotContains(t, logged, secret)
	}
	result.LogLines = strings.Count(logged, "\n")
	result.Goroutines, result.Files = leftOver(t, before, files)
	for _, c := range trials {
		result.Cells = append(result.Cells, c.Cell)
	}
	result.Memory = memory.Cell
	if testing.Verbose() && len(result.Misses()) > 0 {
		t.Log(logged)
	}
	return result
}

// awaitAll waits until the stores of all clients are available, and notes how long that took from the server's recovery.
func awaitAll(trials []*trial, healed time.Time) {
	deadline := healed.Add(patience)
	for _, c := range trials {
		for {
			since, is := c.available()
			if is {
				c.AvailableAfter = max(0, since.Sub(healed))
				break
			}
			if time.Now().After(deadline) {
				c.AvailableAfter = patience
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// check waits until the client's evaluations and the database have what was delivered last.
func (c *trial) check(s *server, fills *trial) {
	c.rest()
	version := int(c.sent.Load())
	if c.Generation == Daemon {
		version = int(fills.sent.Load())
	}
	want := fmt.Sprintf(`"version":%d`, version)
	const within = 20 * time.Second
	deadline := time.Now().Add(within)
	for {
		c.Problem = ""
		stored, err := s.read(context.Background(), c.prefix)
		got := c.client.IntVariation(context.Background(), knownKey, user, defaultValue)
		switch {
		case err != nil:
			c.Problem = fmt.Sprint("the database cannot be read: ", err)
		case !strings.Contains(stored[knownKey], want):
			c.Problem = fmt.Sprintf("the database has %.100q in the end, want version %d", stored[knownKey], version)
		case len(stored) != otherFlags+1:
			c.Problem = fmt.Sprintf("the database has %d flags in the end, want %d", len(stored), otherFlags+1)
		case got != version:
			c.Problem = fmt.Sprintf("an evaluation has version %d in the end, want %d", got, version)
		default:
			return
		}
		if time.Now().After(deadline) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// leftOver returns what is left over when all clients are closed: goroutines that were not there before, and how many open files
// more there are.
func leftOver(t *testing.T, before []goleak.Option, files int) (goroutines string, moreFiles int) {
	t.Helper()
	const within = 5 * time.Second
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		moreFiles = max(0, openFiles(t)-files)
		err := goleak.Find(before...)
		if err == nil && moreFiles == 0 {
			return "", 0
		}
		if time.Now().After(deadline) {
			if err != nil {
				t.Log(err)
				goroutines = creators(err.Error())
			}
			return goroutines, moreFiles
		}
	}
}

// creators returns the functions that have started goroutines, by the text of their stacks. The stacks name files of the machine.
func creators(stacks string) string {
	var functions []string
	for _, line := range strings.Split(stacks, "\n") {
		if _, after, found := strings.Cut(line, "created by "); found {
			function, _, _ := strings.Cut(after, " ")
			functions = append(functions, function)
		}
	}
	slices.Sort(functions)
	return "goroutines of " + strings.Join(slices.Compact(functions), ", ")
}

func TestCreators_NamesFunctionsOnly(t *testing.T) {
	stacks := "found unexpected goroutines:\n[Goroutine 5 in state select, with b.run on top of the stack:\nb.run(0x1)\n\t/x/b.go:2 +0x1\n" +
		"created by b.start in goroutine 4\n\t/x/b.go:1 +0x2\n Goroutine 6\ncreated by a.start\n]"
	require.Equal(t, "goroutines of a.start, b.start", creators(stacks))
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func TestMatrix(t *testing.T) {
	if !given.certify {
		t.Skip("takes most of an hour and is done with -args -certify only")
	}
	for _, i := range allInjections() {
		if !asked(i.name) {
			continue
		}
		kind, name, _ := strings.Cut(i.name, "/")
		t.Run(kind+": "+name, func(t *testing.T) {
			row := i.run(t).Row()
			fmt.Print(&row)
			keep(t, Part{Kind: kind, Rows: []Row{row}})
		})
	}
}

// Every kind of server has a fault for a moment. What depends on the machine's speed is left to TestMatrix.
func TestMatrix_InShort_NothingIsWrong(t *testing.T) {
	for _, i := range allInjections() {
		if !slices.Contains([]string{"redis/killed, back empty", "redis/hash evicted", "consul/500", "dynamodb/writes denied", "sqlite/wiped"}, i.name) {
			continue
		}
		t.Run(i.name, func(t *testing.T) {
			i.lasts = 4 * time.Second
			require.Empty(t, i.run(t).Wrongs())
		})
	}
}
