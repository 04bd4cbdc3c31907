package benchmarks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"time"

	ld "github.com/launchdarkly/go-server-sdk/v7"
	"github.com/launchdarkly/go-server-sdk/v7/interfaces"
	"github.com/launchdarkly/go-server-sdk/v7/ldcomponents"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/benchmarks/measure"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/fdv2"
	"github.com/cleatdev/cleat/events"
)

// protocol is how the flag service says things in a stream.
type protocol struct {
	name, title string
	full        func(flags []flagJSON) []byte
	change      func(key string, object []byte, version int) []byte
	// ours and theirs choose the protocol.
	ours   func(config *cleat.Config)
	theirs func(config *ld.Config, uri string)
}

func firstProtocol() protocol {
	return protocol{
		name: "first", title: "first protocol",
		full: func(flags []flagJSON) []byte {
			var text bytes.Buffer
			text.WriteString("event: put\ndata: {\"path\":\"/\",\"data\":{\"segments\":{},\"flags\":{")
			for i, flag := range flags {
				if i > 0 {
					text.WriteByte(',')
				}
				fmt.Fprintf(&text, "%q:%s", flag.key, flag.data)
			}
			text.WriteString("}}}\n\n")
			return text.Bytes()
		},
		change: func(key string, object []byte, _ int) []byte {
			return fmt.Appendf(nil, "event: patch\ndata: {\"path\":\"/flags/%s\",\"data\":%s}\n\n", key, object)
		},
		ours:   func(*cleat.Config) {},
		theirs: func(*ld.Config, string) {},
	}
}

func secondProtocol() protocol {
	intent := func(code string) string {
		return fmt.Sprintf("event: server-intent\ndata: {\"payloads\":[{\"id\":\"p\",\"target\":1,\"intentCode\":%q,\"reason\":\"r\"}]}\n\n", code)
	}
	put := func(text *bytes.Buffer, key string, object []byte) {
		fmt.Fprintf(text, "event: put-object\ndata: {\"version\":1,\"kind\":\"flag\",\"key\":%q,\"object\":%s}\n\n", key, object)
	}
	end := func(text *bytes.Buffer, version int) {
		fmt.Fprintf(text, "event: payload-transferred\ndata: {\"state\":\"s%d\",\"version\":%d}\n\n", version, version)
	}
	return protocol{
		name: "second", title: "second protocol",
		full: func(flags []flagJSON) []byte {
			var text bytes.Buffer
			text.WriteString(intent("xfer-full"))
			for _, flag := range flags {
				put(&text, flag.key, flag.data)
			}
			end(&text, 1)
			return text.Bytes()
		},
		change: func(key string, object []byte, version int) []byte {
			var text bytes.Buffer
			put(&text, key, object)
			end(&text, version)
			return text.Bytes()
		},
		ours: func(config *cleat.Config) {
			config.DataSystem = fdv2.Streaming(fdv2.StreamingOptions{}, fdv2.PollingOptions{})
		},
		theirs: func(config *ld.Config, uri string) {
			config.DataSystem = ldcomponents.DataSystem().Custom().Synchronizers(ldcomponents.StreamingDataSourceV2().BaseURI(uri))
		},
	}
}

// flagService is a flag service on loopback that has one stream open at a time.
type flagService struct {
	*httptest.Server

	protocol protocol
	size     int // of everything, in bytes
	changes  chan []byte
}

func newFlagService(b *bench, p protocol, flags []flagJSON) *flagService {
	b.Helper()
	full := p.full(flags)
	s := &flagService{protocol: p, size: len(full), changes: make(chan []byte)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flusher := http.NewResponseController(w)
		_, err := w.Write(full)
		for err == nil && flusher.Flush() == nil {
			select {
			case change := <-s.changes:
				_, err = w.Write(change)
			case <-r.Context().Done():
				return
			}
		}
	}))
	b.Cleanup(s.Close)
	return s
}

// user is a client of either side.
type user struct {
	evaluate func(key string) bool
	close    func() error
}

func (s *flagService) ours(b *bench) user {
	b.Helper()
	config := cleat.Config{
		SDKKey: "sdk-key", Events: events.Off(), Logger: quiet,
		Endpoints: core.ServiceEndpoints{Streaming: s.URL, Polling: s.URL, Events: s.URL},
	}
	s.protocol.ours(&config)
	c, err := cleat.New(b.ctx(), config)
	require.NoError(b, err)
	require.NoError(b, c.WaitFor(b.ctx(), core.DataSourceValid))
	ctx, who := b.ctx(), customer()
	return user{func(key string) bool { return c.BoolVariation(ctx, key, who, false) }, c.Close}
}

func (s *flagService) theirs(b *bench) user {
	b.Helper()
	config := ld.Config{
		Events: ldcomponents.NoEvents(), Logging: ldcomponents.NoLogging(), DiagnosticOptOut: true,
		ServiceEndpoints: interfaces.ServiceEndpoints{Streaming: s.URL, Polling: s.URL, Events: s.URL},
	}
	s.protocol.theirs(&config, s.URL)
	c, err := ld.MakeCustomClient("sdk-key", config, time.Minute)
	require.NoError(b, err)
	who := customer()
	return user{func(key string) bool { value, err := c.BoolVariation(key, who, false); return value && err == nil }, c.Close}
}

// bare reads the stream and understands nothing of it: after each change, it evaluates as changed once.
func (s *flagService) bare(b *bench) user {
	b.Helper()
	ctx, cancel := context.WithCancel(b.ctx())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, http.NoBody)
	require.NoError(b, err)
	response, err := s.Client().Do(request) //nolint:bodyclose // the user closes it
	require.NoError(b, err)
	_, err = io.CopyN(io.Discard, response.Body, int64(s.size))
	require.NoError(b, err)
	var changed atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 32<<10)
		for {
			n, err := response.Body.Read(buffer)
			if err != nil {
				return
			}
			if bytes.HasSuffix(buffer[:n], []byte("\n\n")) {
				changed.Store(true)
			}
		}
	}()
	return user{func(string) bool { return !changed.CompareAndSwap(true, false) }, func() error {
		cancel()
		<-done
		return response.Body.Close()
	}}
}

// users makes clients of each side.
func (s *flagService) users(b *bench) map[measure.Side]func() user {
	return map[measure.Side]func() user{
		measure.Ours: func() user { return s.ours(b) }, measure.Theirs: func() user { return s.theirs(b) }, measure.Bare: func() user { return s.bare(b) },
	}
}

func fullPayload(p protocol) workload {
	return workload{
		name: "service/full-" + p.name, title: "a new client has 10,000 flags of 2 KB from a stream and evaluates one, " + p.title,
		metric: measure.Time,
		goals: []measure.Goal{
			measure.AtMostTimes(measure.Time, 1.0/2, measure.Theirs), measure.AtMostTimes(measure.Bytes, 1.0/2, measure.Theirs),
		},
		note: "From the request to the evaluation, over loopback. The service, which is in the same process, sends bytes that it has ready. " +
			"Bare reads them and understands nothing.",
		setup: func(b *bench) sides {
			flags := flagsOf(b.many(10_000), ruleFlag)
			users := newFlagService(b, p, flags).users(b)
			op := func(side measure.Side) measure.Op {
				return measure.Op{Run: func(n int) error {
					for range n {
						user := users[side]()
						if !user.evaluate(flags[0].key) {
							return errWrong
						}
						if err := user.close(); err != nil {
							return err
						}
					}
					return nil
				}}
			}
			return sides{ours: op(measure.Ours), theirs: op(measure.Theirs), bare: op(measure.Bare)}
		},
	}
}

// changesSent is how many changes are made in each round.
const changesSent = 500

func changeSent(p protocol) workload {
	return workload{
		name: "service/change-" + p.name, title: "from the bytes of one change to a changed evaluation, 10,000 flags, " + p.title,
		metric: measure.Time,
		goals:  []measure.Goal{measure.AtMostTimes(measure.Time, 1.0/3, measure.Theirs), measure.Within(5 * time.Millisecond)},
		note: fmt.Sprintf("The median of %d changes in each round, over loopback, which is a part of the time that nothing makes shorter: "+
			"bare reads the bytes, and sees that something has come. One goroutine evaluates without a pause.", changesSent),
		measure: func(b *bench) *measure.Comparison {
			flags := flagsOf(b.many(10_000), ruleFlag)
			service := newFlagService(b, p, flags)
			users := service.users(b)
			return alternately(b, func(side measure.Side) measure.Sample {
				user := users[side]()
				defer func() { require.NoError(b, user.close()) }()
				return service.seen(b, user, flags)
			}, measure.Bare)
		},
	}
}

// seen turns flags off, one after the other, and measures how long they evaluate as before.
func (s *flagService) seen(b *bench, u user, flags []flagJSON) measure.Sample {
	b.Helper()
	var latencies []float64
	for i := range b.many(changesSent) {
		flag, version := flags[i%len(flags)], firstVersion+1+i
		change := s.protocol.change(flag.key, bytes.Replace(flag.withVersion(version), []byte(`"on":true`), []byte(`"on":false`), 1), 2+i)
		require.True(b, u.evaluate(flag.key))
		begin := time.Now()
		s.changes <- change
		for u.evaluate(flag.key) {
			require.Less(b, time.Since(begin), time.Minute, "the change is not seen")
			runtime.Gosched()
		}
		latencies = append(latencies, float64(time.Since(begin)))
	}
	return measure.Sample{measure.Time: measure.PercentileOf(latencies, 0.5), measure.Percentile: measure.PercentileOf(latencies, 0.99)}
}

func heapOfClient(p protocol) workload {
	return workload{
		name: "service/heap-" + p.name, title: "heap per flag of a client with 10,000 flags of 2 KB, 1 % of them evaluated, " + p.title,
		metric: measure.Heap,
		goals:  []measure.Goal{measure.AtMostTimes(measure.Heap, 1.0/4, measure.Theirs)},
		measure: func(b *bench) *measure.Comparison {
			flags := flagsOf(b.many(10_000), ruleFlag)
			users := newFlagService(b, p, flags).users(b)
			return alternately(b, func(side measure.Side) measure.Sample {
				var user user
				grown := heapGrowth(b, func() error {
					user = users[side]()
					for _, flag := range flags[:len(flags)/100] {
						if !user.evaluate(flag.key) {
							return errWrong
						}
					}
					return nil
				})
				require.NoError(b, user.close())
				return measure.Sample{measure.Heap: float64(grown) / float64(len(flags))}
			})
		},
	}
}
