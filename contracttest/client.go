package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cleatdev/cleat"
)

// client is a client that the suite has made.
type client struct{ *cleat.Client }

func newClient(ctx context.Context, configuration *configuration, logger *slog.Logger) (*client, error) {
	config, err := configuration.client(ctx, logger)
	if err != nil {
		return nil, err
	}
	made, err := cleat.New(ctx, config)
	switch {
	case made == nil:
		return nil, err
	case err != nil && !configuration.InitCanFail && !configuration.verifiesPeer():
		return nil, errors.Join(err, made.Close())
	}
	return &client{made}, nil
}
