// Package mockbigsegments is the part of a flag service that tells synchronisers of changes to big segments, for tests. It
// answers polls at /sdk/big-segments/revisions and streams at /big-segments; and it misbehaves in whatever way a test
// wants.
//
//	service := mockbigsegments.New(t)
//	service.Publish(mockbigsegments.Change{Segment: "beta.g1", Include: []string{hash}})
//	s, err := synchronizer.New(service.Settings(), store, nil)
//	…
//
// # Revisions
//
// Every [Service.Publish] makes one revision: one patch for each [Change]. Which versions they bear says
// [Service.SetForm]. A stream gets them in one event, or in several if [Service.SetEventSize] says so. A poll is answered with
// whole revisions that follow the one named by "after", as many as [Service.SetPageSize] says; a revision that the service
// does not know is answered with 404.
//
// # Connections
//
// [mockhttp.Server.Client] returns an HTTP client whose connections exist in memory only, so that the whole of net/http
// takes part but no network, and tests can run in a bubble of testing/synctest. A [Service] is also an http.Handler, for
// tests that want a listener. Requests without the SDK key are answered with 401.
//
// # Misbehaviour
//
// [mockhttp.Server.Next] has the next requests of a path answered by handlers of the test's, one each.
package mockbigsegments
