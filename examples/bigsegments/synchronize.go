package main

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/bigsegments/synchronizer"
	"github.com/cleatdev/cleat/core"
)

// synchronize starts what fills the store, and waits until the store is up to date. The synchroniser goes on keeping it so
// until stop is called. It does not close the store.
func synchronize(ctx context.Context, store core.BigSegmentStore, settings core.ClientSettings) (stop func(), err error) {
	writer, ok := store.(core.BigSegmentWriter)
	if !ok {
		return nil, fmt.Errorf("a %T cannot be written to", store)
	}
	s, err := synchronizer.New(settings, writer, nil)
	if err != nil {
		return nil, err
	}
	statuses := make(chan core.DataSourceStatus)
	remove := s.AddListener(func(status core.DataSourceStatus) {
		select {
		case statuses <- status:
		case <-s.Done():
		}
	})
	defer remove()
	stop = func() {
		s.Stop()
		<-s.Done()
	}
	s.Start(ctx)
	for {
		select {
		case status := <-statuses:
			if status.State == core.DataSourceValid {
				return stop, nil
			}
			if status.LastError.Kind != "" { // it would go on trying
				stop()
				return nil, fmt.Errorf("big segments cannot be synchronised: %v", status.LastError)
			}
		case <-ctx.Done():
			stop()
			return nil, ctx.Err()
		}
	}
}
