package streaming_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/datasource/streaming"
	"github.com/cleatdev/cleat/internal/mockservice"
)

func TestSource_Start_DeliversEverything(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.Service.SetEnvironmentID("env-1")
		r.start()
		require.Equal(t, map[string]string{
			"features/a": flag("a", 1),
			"segments/s": `{"key":"s","version":1}`,
		}, r.Sink.Items())
		require.True(t, r.Source.Initialized())
		require.Equal(t, "env-1", r.Sink.EnvironmentID())
		require.Equal(t, []mockservice.Report{{State: core.DataSourceValid}}, r.Sink.Reports())
	})
}

func TestSource_Request_HasHeadersAndPath(t *testing.T) {
	for _, base := range []string{"http://relay.test/under", "http://relay.test/under/", "http://user:pass@relay.test/under"} {
		inBubble(t, func(r *rig) {
			r.options = streaming.Options{BaseURI: base, PayloadFilter: "my.Filter-1"}
			r.adapt = func(settings *core.ClientSettings) { settings.Headers.Set("X-Launchdarkly-Tags", "application-id/x") }
			r.start()
			requests := r.Service.Requests("/under/all")
			require.Len(t, requests, 1)
			require.Equal(t, http.MethodGet, requests[0].Method)
			require.Equal(t, "filter=my.Filter-1", requests[0].URL.RawQuery)
			require.Equal(t, []string{mockservice.SDKKey}, requests[0].Header["Authorization"])
			require.Equal(t, "text/event-stream", requests[0].Header.Get("Accept"))
			require.Equal(t, "application-id/x", requests[0].Header.Get("X-LaunchDarkly-Tags"))
		})
	}
}

func TestSource_Request_LeavesOutInvalidFilter(t *testing.T) {
	for _, filter := range []string{"", "a b", "-a", "encoding necessary +! %& ( )", "ä", "a\n"} {
		inBubble(t, func(r *rig) {
			r.options.PayloadFilter = filter
			r.start()
			require.Empty(t, r.Requests()[0].URL.RawQuery)
		})
	}
}

func TestSource_Patch_Upserts(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.send("patch", `{"path":"/flags/a","data":`+flag("a", 2)+`}`)
		r.send("patch", `{"data":`+flag("b/c", 1)+`,"path":"/flags/b/c"}`)
		r.send("patch", `{"path":"/segments/s","data":{"key":"s","version":7}}`)
		r.RequireFlag("a", flag("a", 2))
		r.RequireFlag("b/c", flag("b/c", 1))
		require.JSONEq(t, `{"key":"s","version":7}`, r.Sink.Items()["segments/s"])
		require.Equal(t, 1, r.connections())
	})
}

func TestSource_Delete_Deletes(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.send("delete", `{"path":"/flags/a","version":2}`)
		r.send("delete", `{"path":"/segments/never-seen","version":3}`)
		r.RequireFlag("a", string(core.NewTombstone(core.Flags, "a", 2).JSON()))
		require.Equal(t, string(core.NewTombstone(core.Segments, "never-seen", 3).JSON()), r.Sink.Items()["segments/never-seen"])
	})
}

func TestSource_Put_ReplacesEverything(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		r.Service.SendData(`{"flags":{"b":` + flag("b", 1) + `}}`)
		pass(0)
		require.Equal(t, map[string]string{"features/b": flag("b", 1)}, r.Sink.Items())
		r.send("put", `{"data":{"flags":{}}}`)
		require.Empty(t, r.Sink.Items())
		require.Equal(t, 3, r.Sink.Inits())
	})
}

func TestSource_Event_Ignored(t *testing.T) {
	for name, event := range map[string][2]string{
		"unknown name":         {"whatever", `{}`},
		"unknown name no JSON": {"whatever", `not JSON`},
		"unknown path kind":    {"patch", `{"path":"/cats/Jack","data":{}}`},
		"unknown bad data":     {"patch", `{"path":"/cats/Jack","data":5}`},
		"unknown delete":       {"delete", `{"path":"/cats/Jack","version":1}`},
		"path without slash":   {"patch", `{"path":"flags/a","data":true}`},
		"part of everything":   {"put", `{"path":"/flags","data":{"flags":{}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.start()
				r.send(event[0], event[1])
				r.send("patch", `{"path":"/flags/a","data":`+flag("a", 2)+`}`)
				r.RequireFlag("a", flag("a", 2))
				require.Equal(t, 1, r.connections())
				r.RequireState(core.DataSourceValid)
			})
		})
	}
}

func TestSource_Event_MalformedDropsTheConnection(t *testing.T) {
	for name, event := range map[string][2]string{
		"put no JSON":               {"put", `{sorry`},
		"put empty":                 {"put", ``},
		"put without data":          {"put", `{"path":"/"}`},
		"put data null":             {"put", `{"path":"/","data":null}`},
		"put flags no object":       {"put", `{"data":{"flags":true,"segments":{}}}`},
		"put flag no object":        {"put", `{"data":{"flags":{"a":true}}}`},
		"put flag bad model":        {"put", `{"data":{"flags":{"a":{"key":"a","version":2,"variations":5}}}}`},
		"put flag bad version":      {"put", `{"data":{"flags":{"a":{"key":"a","version":"2"}}}}`},
		"put segment bad model":     {"put", `{"data":{"segments":{"a":{"key":"a","version":2,"included":{}}}}}`},
		"put trailing text":         {"put", `{"data":{"flags":{}}} x`},
		"put an array":              {"put", `[]`},
		"patch no JSON":             {"patch", `{sorry`},
		"patch no object":           {"patch", `{"path":"/flags/x","data":true}`},
		"patch bad model":           {"patch", `{"path":"/flags/x","data":{"rules":{}}}`},
		"patch without data":        {"patch", `{"path":"/flags/x"}`},
		"patch without path":        {"patch", `{"data":{}}`},
		"patch that is not UTF-8":   {"patch", `{"path":"/flags/a","data":{"version":1,"salt":"` + "\xff" + `"}}`},
		"put that is not UTF-8":     {"put", `{"path":"/","data":{"flags":{"a":{"version":1,"salt":"` + "\xff" + `"}}}}`},
		"delete no JSON":            {"delete", `{sorry`},
		"delete bad version":        {"delete", `{"path":"/flags/x","version":"no"}`},
		"delete fractional version": {"delete", `{"path":"/flags/x","version":1.5}`},
		"delete without version":    {"delete", `{"path":"/flags/x"}`},
		"delete cut short":          {"delete", `{"path":"/flags/x","version":"no"`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				r.start()
				r.Service.SetData(flagData(2))
				r.send(event[0], event[1])
				r.RequireInterrupted(core.DataSourceErrorInvalidData, `"`+event[0]+`"`)
				r.RequireFlag("a", flag("a", 1)) // the last good data stays
				require.Zero(t, r.Service.Streams())

				pass(streaming.DefaultInitialRetryDelay)
				require.Equal(t, 2, r.connections())
				r.RequireFlag("a", flag("a", 2))
				r.RequireState(core.DataSourceValid)
			})
		})
	}
}

func TestSource_Stop_EndsTheConnection(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.start()
		require.Equal(t, 1, r.Service.Streams())
		r.Stop()
		pass(0)
		require.Zero(t, r.Service.Streams())
		r.Source.Start(r.T.Context())
		pass(time.Hour)
		require.Equal(t, 1, r.connections())
		r.Source.Stop()
	})
}

func TestSource_Stop_WithoutStart(t *testing.T) {
	inBubble(t, func(r *rig) {
		source, err := streaming.Source(streaming.Options{})(r.Service.Settings(), r.Sink)
		require.NoError(t, err)
		source.Stop()
		<-source.Done()
		source.Start(r.T.Context())
		pass(time.Hour)
		require.Zero(t, r.connections())
	})
}

func TestSource_Options_Refused(t *testing.T) {
	sink := mockservice.NewSink()
	for want, options := range map[string]streaming.Options{
		"InitialRetryDelay": {InitialRetryDelay: -1},
		"ReadTimeout":       {ReadTimeout: -1},
		"ResponseTimeout":   {ResponseTimeout: -1},
		"MaxEventSize":      {MaxEventSize: -1},
		"https://host":      {BaseURI: "ftp://user:secret@host"},
		"base URI":          {BaseURI: "http://user:secret@[host"},
	} {
		_, err := streaming.Source(options)(core.ClientSettings{}, sink)
		require.ErrorIs(t, err, core.ErrInvalid)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := streaming.Source(streaming.Options{})(core.ClientSettings{SDKKey: "secret\nkey"}, sink)
	require.ErrorIs(t, err, core.ErrInvalid)
	require.NotContains(t, err.Error(), "secret")
}
