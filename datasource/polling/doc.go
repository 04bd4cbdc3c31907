// Package polling is a data source that asks the flag service for everything at intervals. Streaming brings changes
// sooner and costs less; polling is for networks in which no connection can stay open. Relay Proxy does not answer these polls;
// a client behind one streams.
//
// # Protocol
//
// A poll is a request for <base>/sdk/latest-all, answered by one JSON object. [Requester] makes it: it accepts compressed
// answers, and repeats the entity tag of the last one, so that the service need not send what has not changed.
//
// # Errors
//
// No error is final. After one, the data source is interrupted, the last data stays in use, and it polls again at the
// next interval; while there has been no data at all, after a second, then two, and so on up to the interval. After an
// error that waiting will hardly heal, such as a refused SDK key or a certificate that cannot be trusted, it polls again
// in 5 minutes. Up to half of these delays is taken away at random, but no less than the interval is left of 5 minutes.
// Up to a tenth is added to each interval at random, also after errors, so that clients that began together drift apart.
// Two polls in succession that succeed make it forget past errors.
//
// # Store
//
// When the data store turns stale, the data source delivers again what it got last; it does not poll for that. If the
// store turns stale again and again, because its data is lost again and again or it takes no writes, the delays between the
// deliveries grow from a second to 30, until it has been well for a minute. A store that does not monitor itself and
// refuses the data gets it again at the next interval.
package polling
