// Package fdv2 has the sources of the second generation of the flag service's protocol, which LaunchDarkly calls data saving mode:
// instead of everything, a client is sent what has changed since the state that it has.
//
// [Default] is what most clients want: one poll to begin with, a stream from then on, and polling while the stream does not work.
// [Streaming] and [Polling] leave the rest out. Others are put together in a [core.DataSystem], of these sources and, by
// [ClassicInitializer] and [ClassicSynchronizer], of data sources that know nothing of the second protocol, such as files.
//
// Data counts in the order in which it arrives, whatever the versions of flags, but for updates of classic data sources. Once any
// has arrived, evaluations read memory alone; a database of the client's starts it, and follows it.
package fdv2
