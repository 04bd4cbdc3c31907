package cleat

import (
	"fmt"
	"testing"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"

	"github.com/cleatdev/cleat/caching"
	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
	"github.com/cleatdev/cleat/internal/flagtest"
	"github.com/cleatdev/cleat/memorystore"
)

// ruled is a flag whose last rule matches user.
const ruled = `{"key":"ruled","version":1,"on":true,"fallthrough":{"variation":0},"variations":[false,true],"rules":[
	{"id":"1","variation":0,"clauses":[{"attribute":"country","op":"in","values":["DE","AT","CH"]}]},
	{"id":"2","variation":0,"clauses":[{"attribute":"key","op":"startsWith","values":["no"]}]},
	{"id":"3","variation":1,"clauses":[{"attribute":"key","op":"in","values":["anyone","someone"]}]}]}`

// benchmarkClients returns clients that differ in where they keep flags, without events, and one with.
func benchmarkClients(b *testing.B, data []core.Collection) map[string]*Client {
	b.Helper()
	forever := caching.Options{Mode: caching.Forever()}
	memory, _ := newTestClientWith(b, data, Config{Events: events.Off()})
	cached, _ := newTestClientWith(b, data, Config{Events: events.Off(), Store: memorystore.New(nil, nil), Cache: forever})
	ttl, _ := newTestClientWith(b, data, Config{Events: events.Off(), Store: memorystore.New(nil, nil)})
	return map[string]*Client{"memory": memory, "forever": cached, "ttl": ttl}
}

// bareFlags is what the evaluation engine alone needs.
type bareFlags map[string]*ldmodel.FeatureFlag

func (f bareFlags) GetFeatureFlag(key string) *ldmodel.FeatureFlag { return f[key] }

func (bareFlags) GetSegment(string) *ldmodel.Segment { return nil }

func BenchmarkClient_BoolVariation(b *testing.B) {
	data := flagtest.Items(b, "simple", flagtest.OnFlag("simple", 1, "true"), "ruled", ruled)
	clients := benchmarkClients(b, data)
	for _, item := range data[0].Items {
		flag, err := item.Item.Flag()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(item.Key+"/bare engine", func(b *testing.B) {
			engine := evaluation.NewEvaluator(bareFlags{item.Key: flag})
			b.ReportAllocs()
			for b.Loop() {
				engine.Evaluate(flag, user, nil)
			}
		})
		for name, client := range clients {
			b.Run(item.Key+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				ctx := b.Context()
				for b.Loop() {
					client.BoolVariation(ctx, item.Key, user, false)
				}
			})
		}
	}
}

func BenchmarkClient_BoolVariation_Parallel(b *testing.B) {
	for name, client := range benchmarkClients(b, flagtest.Items(b, "simple", flagtest.OnFlag("simple", 1, "true"))) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					client.BoolVariation(ctx, "simple", user, false)
				}
			})
		})
	}
}

func BenchmarkClient_BoolVariation_WithEvents(b *testing.B) {
	var discarded discardEvents
	client, _ := newTestClientWith(b, flagtest.Items(b, "simple", flagtest.OnFlag("simple", 1, "true")), Config{Events: discarded.factory})
	b.ReportAllocs()
	ctx := b.Context()
	for b.Loop() {
		client.BoolVariation(ctx, "simple", user, false)
	}
}

// discardEvents gets events, which the client has to make for that, and drops them.
type discardEvents struct{ events.Discarding }

func (d *discardEvents) factory(core.ClientSettings) (core.EventProcessor, error) { return d, nil }

func BenchmarkClient_AllFlagsState(b *testing.B) {
	const flags = 1000
	data := make([]string, 0, 2*flags)
	for i := range flags {
		key := fmt.Sprintf("flag-%d", i)
		data = append(data, key, flagtest.OnFlag(key, 1, "true"))
	}
	for name, client := range benchmarkClients(b, flagtest.Items(b, data...)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			for b.Loop() {
				client.AllFlagsState(ctx, ldcontext.New("someone"))
			}
		})
	}
}
