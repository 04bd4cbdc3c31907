package cleat

import (
	"context"
	"fmt"
	"time"

	"github.com/cleatdev/cleat/core"
)

// waitForData returns when there is data of the data source, and warns if that takes too long.
func (c *Client) waitForData(ctx context.Context, config *Config) {
	if config.StartWait < 0 {
		return
	}
	timer := time.NewTimer(config.StartWait)
	defer timer.Stop()
	var reason string
	select {
	case <-c.sink.Filled():
	case <-c.sink.Status().Hopeless():
		reason = "the data source has failed"
	case <-timer.C:
		reason = fmt.Sprintf("nothing has come within %v", config.StartWait)
	case <-ctx.Done():
		reason = ctx.Err().Error()
	}
	select {
	case <-c.sink.Filled(): // whatever else has happened
		return
	default:
	}
	instead := "default values"
	if config.Store != nil {
		instead = "what the store has, and default values where it has nothing"
	}
	status := c.sink.Status().Status()
	c.logger.Warn("cleat: starting without data from the data source", "reason", reason,
		"state", status.State, "error", status.LastError.String(), "used_instead", instead)
}

// warnOfEmptyStore warns if a client in daemon mode has nothing to read, which is more often a wrong prefix than a database that
// is still to be filled.
func (c *Client) warnOfEmptyStore() {
	if initialized, err := c.store.Initialized(c.lifetime); err == nil && !initialized {
		c.logger.Warn("cleat: the store has no flags, and evaluations return default values until another process writes them there; " +
			"check that both use the same database and prefix (a store in memory is this process's own)")
	}
}

// WaitFor waits until the data source is in the state, usually [core.DataSourceValid], and returns nil once it is. It
// is for an application that would rather stop than go on with the data of an earlier run or default values:
//
//	ctx, cancel := context.WithTimeout(ctx, time.Minute)
//	defer cancel()
//	if err := client.WaitFor(ctx, core.DataSourceValid); err != nil {
//		return err
//	}
//
// It returns an error if ctx ends before, which wraps ctx.Err() and says which state the data source is in and what its
// last error was, or if the state will not come any more: the data source is off for good, or the client is closed. A
// flag service that refuses the SDK key is waited for too, because it may accept the key later. The error wraps
// [core.ErrInvalid] if ctx is nil or the state is none of valid, interrupted and off: every data source begins in
// [core.DataSourceInitializing] and never returns to it.
//
// A client in daemon mode or offline has no data source. Its state is valid from the beginning, so there is nothing to wait
// for; it says nothing about the store, of which [Client.Initialized] and [Client.DataStoreStatus] tell.
func (c *Client) WaitFor(ctx context.Context, state core.DataSourceState) error {
	if ctx == nil {
		return fmt.Errorf("%w: the context is nil", core.ErrInvalid)
	}
	switch state {
	case core.DataSourceValid, core.DataSourceInterrupted, core.DataSourceOff:
	default:
		return fmt.Errorf("%w: a data source cannot be waited for until it is %q, only until it is %s, %s or %s",
			core.ErrInvalid, string(state), core.DataSourceValid, core.DataSourceInterrupted, core.DataSourceOff)
	}
	err := c.sink.Status().WaitFor(ctx, state)
	if err != nil && c.closed.Load() {
		return fmt.Errorf("cleat: the data source will not be %s, because the client is closed", state)
	}
	return err
}
