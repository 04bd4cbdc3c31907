// Package mockservice is a flag service for tests. It streams at /all, answers polls at /sdk/latest-all, and takes events
// at /bulk and /diagnostic; and it misbehaves in whatever way a test wants.
//
//	service := mockservice.New(t)
//	service.SetData(`{"flags":{"a":{"key":"a","version":1}},"segments":{}}`)
//	source, err := streaming.Source(streaming.Options{})(service.Settings(), sink)
//	…
//	service.Send("patch", `{"path":"/flags/a","data":{"key":"a","version":2}}`)
//
// # Connections
//
// [mockhttp.Server.Client] returns an HTTP client whose connections exist in memory only, so that the whole of net/http
// takes part, its transport and server included, but no network. Inside a bubble of testing/synctest, time-outs and delays
// of minutes then take no time. A [Service] is also an http.Handler, for tests that want a listener.
//
// # Misbehaviour
//
// [mockhttp.Server.Next] has the next requests of a path answered by handlers of the test's, one each; [Status], [Hang],
// [Text] and [Break] make some. What the service does by itself comes after them.
package mockservice
