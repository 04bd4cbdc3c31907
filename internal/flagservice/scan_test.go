package flagservice

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cleatdev/cleat/core"
)

// written writes the items down, in their order.
func written(data []core.Collection) (lines []string) {
	for _, collection := range data {
		for _, item := range collection.Items {
			lines = append(lines, fmt.Sprintf("%s/%s %d %t %s", collection.Kind, item.Key, item.Item.Version(), item.Item.Deleted(), item.Item.JSON()))
		}
	}
	return lines
}

// requireScannedAsParsed requires that what is taken for an ordinary event is what the parser makes of it.
func requireScannedAsParsed(t *testing.T, text string) (ordinary bool) {
	t.Helper()
	scanned, ordinary := scanPut([]byte(text))
	if ordinary {
		p := newParser([]byte(text), slog.New(slog.DiscardHandler))
		parsed, ok, err := p.put()
		require.NoError(t, err, "%q", text)
		require.NoError(t, p.end(), "%q", text)
		require.True(t, ok, "%q", text)
		require.Equal(t, written(parsed), written(scanned), "%q", text)
	}
	return ordinary
}

func TestScanPut_WhatIsOrdinary_IsReadAsByTheParser(t *testing.T) {
	for text, want := range map[string]bool{
		`{"path":"/","data":{"segments":{"s":{"key":"s","version":2}},"flags":{"b":{"key":"b","version":1},"a":{"version":3,"on":true}}}}`: true,
		"{ \"data\" : { \"flags\" : { \"a\" : { \"version\" : 3 } } } , \"path\" : \"/\" }\n":                                              true,
		`{"data":{"flags":{"a":{"version":1},"b":{"version":1},"a":{"version":2}},"flags":{"c":{"version":1}},"other":[{}]},"x":1}`:        true,
		`{"data":{"flags":{"a":{"version":1,"deleted":true,"on":7}}}}`:                                                                     true,
		`{"data":{"flags":{"a":{"version":1}}},"data":{"flags":{"b":{"version":1,"unknown":1}}}}`:                                          true,
		`{"data":{"flags":{"a":{"version":1e3}}}}`:                                                                                         false,
		`{"data":{"flags":{},"segments":null}}`:                                                                                            false,
		`{"data":{"flags":{"":{}}}}`:                                                                                                       false,
		`{"data":{"flags":{"\u0061":{}}}}`:                                                                                                 false,
		`{"data":{"flags":{"a":{"on":"yes"}}}}`:                                                                                            false,
		`{"data":{"flags":{"a":{"version":1}}}`:                                                                                            false,
		`{"data":{"flags":{"a":{"version":1}}}} {}`:                                                                                        false,
		`{"data":{"segments":{}}}`:                                                                                                         false,
		`{"path":"/flags","data":{"flags":{}}}`:                                                                                            false,
		`{"path":null,"data":{"flags":{}}}`:                                                                                                false,
		`{"path":"/"}`:                                                                                                                     false,
		`{"data":{"flags":{"a":{"version":1,"salt":"` + "\xff" + `"}}}}`:                                                                   false,
	} {
		require.Equal(t, want, requireScannedAsParsed(t, text), text)
	}
}

// An item that stays must not keep the text of all others in memory.
func TestScanPut_ItemsAreCopies(t *testing.T) {
	text := []byte(`{"data":{"flags":{"a":{"version":1}}}}`)
	data, ok := scanPut(text)
	require.True(t, ok)
	clear(text)
	require.Equal(t, []string{`features/a 1 false {"version":1}`}, written(data))
}

func TestScanPatch_WhatIsOrdinary_IsReadAsByPackageJSON(t *testing.T) {
	for text, want := range map[string]bool{
		`{"path":"/flags/a","data":{"version":1}}`:                 true,
		` { "data" : [ ] , "path" : "/x" , "path" : "/flags/a" } `: true,
		`{"path":"/flags/a","data":null}`:                          true,
		`{"path":"/flags/\u0061","data":{}}`:                       false,
		`{"path":"/flags/a","Data":{}}`:                            false,
		`{"path":null,"data":{}}`:                                  false,
		`{"path":"/flags/a"}`:                                      false,
		`{"path":"/flags/a","data":{}`:                             false,
	} {
		path, data, ok := scanPatch([]byte(text))
		require.Equal(t, want, ok, text)
		if ok {
			var whole struct {
				Path string
				Data json.RawMessage
			}
			require.NoError(t, json.Unmarshal([]byte(text), &whole))
			require.Equal(t, whole.Path, path)
			require.Equal(t, string(whole.Data), string(data))
		}
	}
}
