package sqlitestore

import "time"

// WithNow returns the options with another clock. It is asked for each item that is written, inside the transaction.
func (o Options) WithNow(now func() time.Time) *Options {
	o.now = now
	return &o
}
