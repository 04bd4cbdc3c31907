package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/core"
)

// client is a client that the suite has made.
type client struct {
	*cleat.Client

	listeners *listeners
}

func newClient(ctx context.Context, configuration *configuration, logger *slog.Logger) (*client, error) {
	config, err := configuration.client(ctx, logger)
	if err != nil {
		return nil, err
	}
	made, err := cleat.New(ctx, config)
	if err != nil {
		return nil, err
	}
	if !configuration.InitCanFail && !configuration.verifiesPeer() {
		if err := requireData(ctx, made); err != nil {
			return nil, errors.Join(err, made.Close())
		}
	}
	return &client{Client: made, listeners: &listeners{logger: logger, remove: map[string]func(){}}}, nil
}

// requireData returns an error if the data source of a client that New has returned still has not delivered. New has waited
// already; the second is for a delivery that is just ending.
func requireData(ctx context.Context, made *cleat.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return made.WaitFor(ctx, core.DataSourceValid)
}
