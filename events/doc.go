// Package events delivers analytics events to the flag service. What happens to them on the way, from summaries to
// redaction and retries, is the work of go-sdk-events; this package is its [core.EventProcessor].
//
// # What is delivered
//
// A [core.EvaluationEvent] counts in a summary, and is delivered by itself only if it says so. [core.IdentifyEvent],
// [core.CustomEvent] and [core.MigrationEvent] are delivered one by one. A context is listed once with its attributes
// when it first occurs. Events carry their context, without private attributes and, except where a context is listed,
// without those of anonymous contexts; a debug event, which a flag asks for until a time that someone has set, carries them.
// Unless Options.DisableDiagnostics is set, the client's configuration and some
// counts are delivered as well.
//
// # What is dropped
//
// Up to Options.Capacity events wait for the next delivery; what is more is dropped, counted in the diagnostics and
// mentioned once in the log. As many more wait to be looked at; when events come faster than that for long, some are
// dropped without being counted, a Flush may be left to the next interval, and that is mentioned once too. A delivery
// that fails is tried once more and then given up; so is one that is answered by a redirect, because none is followed.
// When the service answers that it accepts nothing from this client, as it does for a wrong SDK key or a path that does
// not exist, delivery pauses for 30 s at first, and twice as long after each further refusal, up to 15 min; events are
// dropped meanwhile. An outage is logged once when it begins and once when it ends. Diagnostic events fare by themselves:
// what becomes of them says nothing about other events. An event whose context is invalid is dropped.
//
// Numbers that are infinite or not a number have no form in JSON and are delivered as null. JSON that an application
// hands over by ldvalue.Raw is not looked at: it has to be valid, or the service refuses what is delivered with it.
//
// # Concurrency and lifecycle
//
// Everything may be called from any goroutine. Send and Flush do no I/O and never wait. A request takes no longer than
// Options.RequestTimeout. [Flusher], which
// every processor implements, waits for a delivery. Close delivers what is buffered, and takes no longer than its context, but some 50 ms even if
// everything has been delivered before. A processor that is closed has no goroutine left, except that one whose Close
// was cut short by its context waits out Options.RetryDelay, or 25 ms.
package events
