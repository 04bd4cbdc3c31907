// Package flagservice holds what data sources share that talk to the flag service: how its data is read, how requests to
// it are made, what its errors mean, and how long to wait after them.
//
// # Data
//
// [ReadAll] and [ReadPut] read everything that an environment has, [ReadPatch] and [ReadDelete] one update. What is read
// is checked down to the model of each flag and segment, so that data the evaluator could not use is refused as a whole
// and the last good data stays; what is ordinary is recognized without being decoded. The text of each item
// is copied out of the whole, byte for byte, with properties that cleat does not know. Collections other than flags and
// segments are skipped. An error wraps [ErrInvalidData] unless it is that of the reader.
//
// # Streams
//
// [Endpoint.OpenStream] opens a stream of server-sent events that is bounded in every way: how long the response may take
// to begin, how long it may be silent, how large an event may be. When to open the next one is the caller's business.
//
// # Errors
//
// [Describe] says what an error means to the status of a data source, and [Unexpected] whether waiting a little will
// hardly help: a status from 400 to 499 other than 400, 408 and 429, which says that something is wrong with the request,
// such as its SDK key, and a certificate that cannot be trusted. An answer that is a proxy's ([FromProxy]) is a network error. No error is final. Messages contain no header, no body
// and no URL.
//
// # Delays
//
// [Backoff] has two regimes. In the normal one, delays double from the initial one to 30 seconds. After an unexpected
// error they are 5 minutes each, until the service has worked for a while. From every delay up to half of it is taken
// away at random, so that clients that fail together do not return together.
package flagservice
