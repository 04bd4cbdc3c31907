package events_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/events"
)

func TestProcessor_OptionsThatCannotBeUsedAreNamed(t *testing.T) {
	for name, test := range map[string]struct {
		options  events.Options
		settings core.ClientSettings
		expected string
	}{
		"capacity":         {events.Options{Capacity: -1}, core.ClientSettings{}, "Capacity -1"},
		"large capacity":   {events.Options{Capacity: 1_000_001}, core.ClientSettings{}, "Capacity 1000001"},
		"context keys":     {events.Options{ContextKeysCapacity: -1}, core.ClientSettings{}, "ContextKeysCapacity -1"},
		"flush":            {events.Options{FlushInterval: -1}, core.ClientSettings{}, "FlushInterval -1ns"},
		"forgetting":       {events.Options{ContextKeysFlushInterval: -1}, core.ClientSettings{}, "ContextKeysFlushInterval -1ns"},
		"retry":            {events.Options{RetryDelay: -1}, core.ClientSettings{}, "RetryDelay -1ns"},
		"timeout":          {events.Options{RequestTimeout: -1}, core.ClientSettings{}, "RequestTimeout -1ns"},
		"diagnostics":      {events.Options{DiagnosticInterval: time.Second}, core.ClientSettings{}, "DiagnosticInterval 1s"},
		"attribute":        {events.Options{PrivateAttributes: []string{"a", "/a//b"}}, core.ClientSettings{}, `PrivateAttributes[1] "/a//b"`},
		"unparsable":       {events.Options{BaseURI: "http://secret:secret\x7f@h"}, core.ClientSettings{}, "cannot be parsed"},
		"no scheme":        {events.Options{BaseURI: "secret.example.com"}, core.ClientSettings{}, "does not begin with http"},
		"no host":          {events.Options{BaseURI: "http:///secret"}, core.ClientSettings{}, "names no host"},
		"query":            {events.Options{BaseURI: "http://h/?secret"}, core.ClientSettings{}, "has a query"},
		"from the setting": {events.Options{}, core.ClientSettings{Endpoints: core.ServiceEndpoints{Events: "ftp://secret"}}, "does not begin"},
	} {
		t.Run(name, func(t *testing.T) {
			processor, err := events.Processor(test.options)(test.settings)
			require.Nil(t, processor)
			require.ErrorIs(t, err, core.ErrInvalid)
			require.ErrorContains(t, err, test.expected)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestProcessor_AllProblemsAreNamedAtOnce(t *testing.T) {
	_, err := events.Processor(events.Options{Capacity: -1, RetryDelay: -1})(core.ClientSettings{})
	require.ErrorContains(t, err, "Capacity")
	require.ErrorContains(t, err, "RetryDelay")
}

func TestOff_DiscardsAndCanBeRecognised(t *testing.T) {
	processor, err := events.Off()(core.ClientSettings{})
	require.NoError(t, err)
	require.IsType(t, events.Discarding{}, processor)
	event := core.Event(identify("a"))
	require.Zero(t, testing.AllocsPerRun(100, func() { processor.Send(event) }))
	processor.Flush()
	require.NoError(t, processor.Close(t.Context()))
	require.NotImplements(t, (*core.StreamInitRecorder)(nil), processor)
}
