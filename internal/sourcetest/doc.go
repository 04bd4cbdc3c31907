// Package sourcetest tests data sources that get flags from the flag service: a [Rig] puts one between a mock service and
// a mock sink, in the fake time of testing/synctest.
//
//	sourcetest.InBubble(t, mockservice.PollPath, func(r *sourcetest.Rig) {
//		r.Start(polling.Source(polling.Options{}), r.Service.Settings())
//		r.AwaitRequests(2)
//		r.RequireState(core.DataSourceValid)
//		r.RequireFlag("a", sourcetest.Flag("a", 1))
//	})
package sourcetest
