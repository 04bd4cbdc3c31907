// Package broadcast passes values to listeners in the way that package core promises for status and change listeners.
//
// # Delivery
//
// Each listener is called with one value at a time, in the order in which the values were published, on a goroutine of
// its own. That goroutine exists only while the listener has something to receive. A listener that is slow, panics, or
// never returns delays neither the publisher nor any other listener.
//
// Values wait in a queue per listener. It holds [MaxPending] values; when it is full, the oldest are dropped, so that the
// latest always arrives, and the loss is logged once until the listener has caught up.
package broadcast
