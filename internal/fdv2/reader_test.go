package fdv2_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/fdv2"
	"github.com/cleatdev/cleat/internal/flagservice"
)

// event is one event of a connection, written "name data".
type event string

const (
	full    event = `server-intent {"payloads":[{"id":"p","target":1,"intentCode":"xfer-full","reason":"payload-missing"}]}`
	partial event = `server-intent {"payloads":[{"id":"p","target":1,"intentCode":"xfer-changes","reason":"stale"}]}`
	none    event = `server-intent {"payloads":[{"id":"p","target":1,"intentCode":"none","reason":"up-to-date"}]}`
	taken   event = `error {"payloadId":"p","reason":"sorry"}`
)

// put is an object whose version is not that of its envelope.
func put(key string, version int) event {
	return event(fmt.Sprintf(`put-object {"version":1,"kind":"flag","key":%q,"object":{"key":%q,"version":%d,"on":true}}`, key, key, version))
}

func del(kind, key string, version int) event {
	return event(fmt.Sprintf(`delete-object {"version":%d,"kind":%q,"key":%q}`, version, kind, key))
}

func end(state string) event {
	return event(fmt.Sprintf(`payload-transferred {"state":%q,"version":1}`, state))
}

// told returns what reading the events comes to, one line for each that comes to something, and the text of the error that ends it.
func told(logger *slog.Logger, events ...event) (lines []string) {
	reader := fdv2.NewReader(logger, 1<<20)
	for _, e := range events {
		name, data, _ := strings.Cut(string(e), " ")
		message, err := reader.Read(name, []byte(data))
		switch {
		case err != nil:
			return append(lines, "error: "+err.Error())
		case message.ChangeSet != nil:
			lines = append(lines, describe(message.ChangeSet))
		case message.Goodbye != nil:
			lines = append(lines, "goodbye: "+message.Goodbye.Reason)
		case message.Discarded != "":
			lines = append(lines, "discarded: "+message.Discarded)
		}
	}
	return lines
}

// describe writes a change set as "full a:1 segments/b:2- @state", with a dash for what is deleted.
func describe(changes *core.ChangeSet) string {
	var parts []string
	for _, collection := range changes.Data {
		for _, item := range collection.Items {
			part := fmt.Sprintf("%s:%d", item.Key, item.Item.Version())
			if collection.Kind != core.Flags {
				part = string(collection.Kind) + "/" + part
			}
			if item.Item.Deleted() {
				part += "-"
			}
			parts = append(parts, part)
		}
	}
	text := changes.Type.String()
	if parts != nil {
		text += " " + strings.Join(parts, " ")
	}
	if changes.Selector != "" {
		text += " @" + string(changes.Selector)
	}
	return text
}

func TestReader_Read_Payloads(t *testing.T) {
	for name, test := range map[string]struct {
		events []event
		want   []string
	}{
		"full":                   {[]event{full, put("a", 7), end("s1")}, []string{"full a:7 @s1"}},
		"full and empty":         {[]event{full, end("s1")}, []string{"full @s1"}},
		"changes":                {[]event{partial, put("a", 2), end("s2")}, []string{"partial a:2 @s2"}},
		"deletions":              {[]event{partial, del("segment", "b", 4), end("s2")}, []string{"partial segments/b:4- @s2"}},
		"without a state":        {[]event{full, put("a", 1), `payload-transferred {"version":1}`}, []string{"full a:1"}},
		"the last one counts":    {[]event{full, put("a", 1), put("a", 3), put("a", 2), end("s")}, []string{"full a:2 @s"}},
		"put after a deletion":   {[]event{partial, del("flag", "a", 9), put("a", 2), end("s")}, []string{"partial a:2 @s"}},
		"nothing before the end": {[]event{full, put("a", 1)}, nil},
		"changes without an intent": {
			[]event{full, put("a", 1), end("s1"), put("a", 2), end("s2"), del("flag", "a", 3), end("s3")},
			[]string{"full a:1 @s1", "partial a:2 @s2", "partial a:3- @s3"},
		},
		"full again on the same connection": {
			[]event{full, put("a", 1), end("s1"), full, put("b", 1), end("s2")}, []string{"full a:1 @s1", "full b:1 @s2"},
		},
		"an intent in a payload begins another": {[]event{full, put("a", 1), full, put("b", 1), end("s")}, []string{"full b:1 @s"}},
		"none":                                  {[]event{none}, []string{"none"}},
		"none, and the end of no payload":       {[]event{none, end("s1")}, []string{"none"}},
		"none, and changes later":               {[]event{none, end("s1"), put("a", 1), end("s2")}, []string{"none", "partial a:1 @s2"}},
		"taken back, then changes": {
			[]event{full, put("a", 1), end("s1"), put("a", 2), taken, put("b", 1), end("s2")},
			[]string{"full a:1 @s1", "discarded: the service says: sorry", "partial b:1 @s2"},
		},
		"taken back, then full": {
			[]event{full, put("a", 1), taken, full, put("b", 1), end("s")}, []string{"discarded: the service says: sorry", "full b:1 @s"},
		},
		"goodbye takes back": {
			[]event{full, put("a", 1), end("s1"), put("a", 2), `goodbye {"reason":"maintenance","silent":false,"catastrophe":false}`, end("s2")},
			[]string{"full a:1 @s1", "goodbye: maintenance", "partial @s2"},
		},
		"what is unknown is ignored": {
			[]event{"put {", "frobnicate not json", full, "heartbeat {}", "patch [", put("a", 1), "delete", end("s")}, []string{"full a:1 @s"},
		},
		"an empty key, an unknown kind": {
			[]event{full, put("", 1), `put-object {"version":1,"kind":"flag-eval","key":"x","object":{}}`, put("a", 1), end("s")},
			[]string{"full a:1 @s"},
		},
		"what is no item":             {[]event{full, `put-object {"version":1,"kind":"flag","key":"x","object":7}`, put("a", 1), end("s")}, []string{"full a:1 @s"}},
		"several payloads: the first": {[]event{`server-intent {"payloads":[{"intentCode":"xfer-full"},{"intentCode":"none"}]}`, put("a", 1), end("s")}, []string{"full a:1 @s"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, told(slog.New(slog.DiscardHandler), test.events...))
		})
	}
}

func TestReader_Read_WhatMakesNoSense_EndsTheConnection(t *testing.T) {
	for name, events := range map[string][]event{
		"no payloads":          {`server-intent {"data":{}}`},
		"an empty list":        {`server-intent {"payloads":[]}`},
		"an unknown code":      {`server-intent {"payloads":[{"intentCode":"xfer-some"}]}`},
		"intent is no JSON":    {`server-intent {`},
		"object is no JSON":    {full, `put-object {"version":`},
		"wrong types":          {full, `put-object {"version":"one","kind":"flag","key":"a","object":{}}`},
		"deletion is no JSON":  {full, `delete-object nothing`},
		"end is no JSON":       {full, `payload-transferred {"state":7}`},
		"error is no JSON":     {`error {`},
		"goodbye is no JSON":   {`goodbye 1`},
		"object before intent": {put("a", 1)},
		"end before intent":    {end("s")},
		"not UTF-8":            {full, "put-object {\"version\":1,\"kind\":\"flag\",\"key\":\"a\",\"object\":{\"key\":\"\xff\"}}"},
	} {
		t.Run(name, func(t *testing.T) {
			lines := told(slog.New(slog.DiscardHandler), events...)
			require.Len(t, lines, 1)
			require.Contains(t, lines[0], "error: "+flagservice.ErrInvalidData.Error())
		})
	}
}

// An object that is left out although it should not have been sent is logged, with its key and without its text.
func TestReader_Read_ObjectThatIsNoItem_IsLogged(t *testing.T) {
	var log bytes.Buffer
	told(slog.New(slog.NewTextHandler(&log, nil)), full, `put-object {"version":1,"kind":"flag","key":"odd","object":["s3cr3t"]}`, end("s"))
	require.Contains(t, log.String(), "odd")
	require.NotContains(t, log.String(), "s3cr3t")
}

// pollBody is the answer to a poll with the events.
func pollBody(events ...event) []byte {
	var list []string
	for _, e := range events {
		name, data, _ := strings.Cut(string(e), " ")
		list = append(list, fmt.Sprintf(`{"event":%q,"data":%s}`, name, data))
	}
	return []byte(`{"events":[` + strings.Join(list, ",") + `]}`)
}

func TestReadPoll_OnePayloadOrNothing(t *testing.T) {
	for name, test := range map[string]struct {
		body []byte
		want string // a change set, or a part of the error
	}{
		"full":               {pollBody(full, put("a", 1), end("s")), "full a:1 @s"},
		"changes":            {pollBody(partial, del("flag", "a", 2), end("s")), "partial a:2- @s"},
		"none":               {pollBody(none), "none"},
		"none with an end":   {pollBody(none, end("s")), "none"},
		"unknown events":     {pollBody(`later {"x":1}`, full, end("s")), "full @s"},
		"no end":             {pollBody(full, put("a", 1)), "no complete payload"},
		"no events":          {[]byte(`{"events":[]}`), "no complete payload"},
		"another object":     {[]byte(`{"flags":{}}`), "no complete payload"},
		"taken back":         {pollBody(full, put("a", 1), taken), "the service says: sorry"},
		"two payloads":       {pollBody(full, end("s"), full, end("t")), "more than one payload"},
		"goodbye":            {pollBody(full, `goodbye {"reason":"bye"}`), "goodbye: bye"},
		"broken":             {[]byte(`{"events":[{"event":"server-`), "unexpected end"},
		"broken in an event": {pollBody(`server-intent {"payloads":7}`), "server-intent"},
		"not UTF-8":          {bytes.ReplaceAll(pollBody(full, put("a", 1), end("s")), []byte(`"on"`), []byte("\"\xff\"")), "not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			changes, _, err := fdv2.ReadPoll(test.body, slog.New(slog.DiscardHandler))
			if err == nil {
				require.Equal(t, test.want, describe(changes))
				return
			}
			require.Nil(t, changes)
			require.ErrorIs(t, err, flagservice.ErrInvalidData)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestReadPoll_GoodbyeWithADirective(t *testing.T) {
	body := `{"events":[{"event":"goodbye","data":{"reason":"use the first protocol","protocolFallbackTTL":60}}]}`
	_, bye, err := fdv2.ReadPoll([]byte(body), slog.New(slog.DiscardHandler))
	require.Error(t, err)
	require.Equal(t, 60, *bye.FallbackTTL)
}

// Whatever arrives, the reader neither panics nor lets anything through before the end of its payload.
func FuzzReader_Read(f *testing.F) {
	for _, events := range [][]event{
		{full, put("a", 1), end("s")}, {none, end("s")}, {partial, del("segment", "b", 1), taken, end("s")}, {put("a", 1)},
	} {
		var text []string
		for _, e := range events {
			text = append(text, string(e))
		}
		f.Add(strings.Join(text, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		reader, ended := fdv2.NewReader(slog.New(slog.DiscardHandler), 1<<20), false
		for line := range strings.SplitSeq(text, "\n") {
			name, data, _ := strings.Cut(line, " ")
			message, err := reader.Read(name, []byte(data))
			if err != nil {
				require.ErrorIs(t, err, flagservice.ErrInvalidData)
				return
			}
			ended = ended || name == "payload-transferred" || name == "server-intent"
			require.True(t, message.ChangeSet == nil || ended)
		}
	})
}
