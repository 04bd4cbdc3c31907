// Package mockhttp is an HTTP server for tests: what the mock services have in common. A mock service embeds a [Server]
// and gives it the handler for what it does by itself.
//
//	type Service struct{ *mockhttp.Server }
//
//	func New(t testing.TB) *Service {
//		s := &Service{}
//		s.Server = mockhttp.New(t, http.HandlerFunc(s.serve))
//		return s
//	}
//
// # Connections
//
// [Server.Client] returns an HTTP client whose connections exist in memory only, so that the whole of net/http takes
// part but no network. Inside a bubble of testing/synctest, time-outs and delays of minutes then take no time. A [Server]
// is also an http.Handler, for tests that want a listener.
//
// # Requests
//
// [Server.Requests] returns what has been asked, and [Server.Next] has the next requests of a path answered by handlers
// of the test's.
//
// # Streams
//
// [Server.ServeStream] answers with server-sent events; [Server.Write] and [Server.Disconnect] are about all streams that
// are open.
package mockhttp
