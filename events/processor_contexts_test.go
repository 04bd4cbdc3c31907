package events_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldtime"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

// sendOfEachKind sends an event of each kind that carries a context, and returns those contexts by kind of event.
func sendOfEachKind(t *testing.T, options events.Options, context ldcontext.Context) map[string]object {
	service := newService(t)
	processor := newProcessor(t, service, options)
	full := evaluation(context, "flag")
	full.RequireFullEvent = true
	processor.Send(full)
	processor.Send(core.CustomEvent{EventBase: at(context), Key: "k"})
	processor.Send(migrationEvent(context))
	processor.Send(core.IdentifyEvent{EventBase: at(context)})

	contexts := map[string]object{}
	for kind, list := range service.nextEvents(t, processor) {
		if kind != "summary" {
			require.Len(t, list, 1, kind)
			contexts[kind] = list[0]["context"].(object)
		}
	}
	return contexts
}

func person() *ldcontext.Builder {
	return ldcontext.NewBuilder("u").Name("Mina").
		SetString("city", "Whitby").
		SetValue("address", ldvalue.Parse([]byte(`{"street":"Crescent","zip":"YO22"}`)))
}

func TestProcessor_Send_AnonymousContextIsRedactedExceptWhereItIsListed(t *testing.T) {
	contexts := sendOfEachKind(t, events.Options{}, person().Anonymous(true).Build())
	require.Len(t, contexts, 5)
	for kind, context := range contexts {
		if kind == "index" || kind == "identify" {
			require.Equal(t, object{
				"kind": "user", "key": "u", "anonymous": true, "name": "Mina", "city": "Whitby",
				"address": object{"street": "Crescent", "zip": "YO22"},
			}, context, kind)
			continue
		}
		require.ElementsMatch(t, []any{"name", "city", "address"}, context["_meta"].(object)["redactedAttributes"], kind)
		delete(context, "_meta")
		require.Equal(t, object{"kind": "user", "key": "u", "anonymous": true}, context, kind)
	}
}

// A debug event is for the people who look into one flag; go-sdk-events does not redact it, nor do LaunchDarkly's SDKs.
func TestProcessor_Send_DebugEventOfAnAnonymousContextHasItsAttributes(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{DisableDiagnostics: true})
	event := evaluation(person().Anonymous(true).Private("city").Build(), "f")
	event.DebugEventsUntil = ldtime.UnixMillisFromTime(time.Now().Add(time.Hour))
	processor.Send(event)
	context := service.nextEvents(t, processor)["debug"][0]["context"].(object)
	require.Equal(t, "Mina", context["name"])
	require.NotContains(t, context, "city", "private attributes are redacted all the same")
}

func TestProcessor_Send_PrivateAttributesAreNowhere(t *testing.T) {
	options := events.Options{PrivateAttributes: []string{"city", "/address/zip"}}
	contexts := sendOfEachKind(t, options, person().Private("name").Build())
	require.Len(t, contexts, 5)
	for kind, context := range contexts {
		require.ElementsMatch(t, []any{"name", "city", "/address/zip"}, context["_meta"].(object)["redactedAttributes"], kind)
		delete(context, "_meta")
		require.Equal(t, object{"kind": "user", "key": "u", "address": object{"street": "Crescent"}}, context, kind)
	}
}

func TestProcessor_Send_AllAttributesPrivate(t *testing.T) {
	contexts := sendOfEachKind(t, events.Options{AllAttributesPrivate: true}, person().Build())
	require.Len(t, contexts, 5)
	for kind, context := range contexts {
		require.ElementsMatch(t, []any{"name", "city", "address"}, context["_meta"].(object)["redactedAttributes"], kind)
		delete(context, "_meta")
		require.Equal(t, object{"kind": "user", "key": "u"}, context, kind)
	}
}

func TestProcessor_Send_OmitAnonymousContexts(t *testing.T) {
	anonymous := person().Anonymous(true).Build()
	contexts := sendOfEachKind(t, events.Options{OmitAnonymousContexts: true}, anonymous)
	require.Len(t, contexts, 3)
	require.NotContains(t, contexts, "index")
	require.NotContains(t, contexts, "identify")

	mixed := ldcontext.NewMulti(anonymous, ldcontext.NewWithKind("org", "o"))
	contexts = sendOfEachKind(t, events.Options{OmitAnonymousContexts: true}, mixed)
	require.Len(t, contexts, 5)
	require.Equal(t, object{"kind": "org", "key": "o"}, contexts["index"])
	require.Equal(t, object{"kind": "org", "key": "o"}, contexts["identify"])
}

func TestProcessor_Send_ContextIsListedOnce(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{})
	same := []ldcontext.Context{
		ldcontext.New("x"),
		ldcontext.NewWithKind("org", "x"),
		ldcontext.NewMulti(ldcontext.New("x"), ldcontext.NewWithKind("org", "x")),
	}
	for range 2 {
		for _, context := range same {
			processor.Send(evaluation(context, "flag"))
			processor.Send(core.CustomEvent{EventBase: at(context), Key: "k"})
			processor.Send(migrationEvent(context))
		}
	}
	require.Len(t, service.nextEvents(t, processor)["index"], len(same))
	processor.Send(evaluation(same[0], "flag"))
	require.Empty(t, service.nextEvents(t, processor)["index"])
}

func TestProcessor_Send_ContextIsListedAgainWhenTooManyWereSeen(t *testing.T) {
	service := newService(t)
	processor := newProcessor(t, service, events.Options{ContextKeysCapacity: 1})
	for _, key := range []string{"a", "b", "a"} {
		processor.Send(evaluation(ldcontext.New(key), "flag"))
	}
	require.Len(t, service.nextEvents(t, processor)["index"], 3)
}

func TestProcessor_Send_ContextIsListedAgainAfterAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		posts := make(chan post, 10)
		settings := virtualSettings(func(request *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(request.Body)
			posts <- post{Body: body}
			return accepted(request, err)
		})
		processor, err := events.Processor(events.Options{DisableDiagnostics: true})(settings)
		require.NoError(t, err)
		listed := func() int {
			processor.Send(evaluation(ldcontext.New("u"), "flag"))
			processor.Flush()
			return len((<-posts).events(t)["index"])
		}
		require.Equal(t, 1, listed())
		time.Sleep(events.DefaultContextKeysFlushInterval - time.Second)
		require.Equal(t, 0, listed())
		time.Sleep(2 * time.Second)
		require.Equal(t, 1, listed())
		require.NoError(t, processor.Close(t.Context()))
	})
}
