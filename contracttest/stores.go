package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/backends/all"
)

// persistentStore is the suite's description of a database.
type persistentStore struct {
	Store struct {
		Type   string `json:"type"`
		Prefix string `json:"prefix"`
		DSN    string `json:"dsn"`
	} `json:"store"`
	Cache struct {
		Mode string `json:"mode"`
		TTL  int    `json:"ttl"` // in seconds
	} `json:"cache"`
}

// table is the DynamoDB table that the suite makes. The suite does not name it, nor the credentials and the region,
// which DynamoDB Local does not look at.
const table = "sdk-contract-tests"

func (p *persistentStore) open(ctx context.Context) (backends.Backend, error) {
	address, err := p.url()
	if err != nil {
		return backends.Backend{}, err
	}
	backend, err := all.Registry().Open(ctx, address)
	backend.Cache.AcceptWipe = true
	return backend, err
}

// url returns the URL by which package backends opens the store.
func (p *persistentStore) url() (string, error) {
	parameters := url.Values{"watch": {"off"}}
	if p.Store.Prefix != "" {
		parameters.Set("prefix", p.Store.Prefix)
	}
	switch p.Cache.Mode {
	case "off":
		parameters.Set("cache", "off")
	case "ttl":
		parameters.Set("cache", (time.Duration(p.Cache.TTL) * time.Second).String())
	case "infinite":
		parameters.Set("cache", "forever")
	default:
		return "", fmt.Errorf("%w: cache mode %s", errBadRequest, strconv.Quote(p.Cache.Mode))
	}
	switch p.Store.Type {
	case "redis":
		return p.Store.DSN + "?" + parameters.Encode(), nil
	case "consul":
		return "consul://" + p.Store.DSN + "?" + parameters.Encode(), nil
	case "dynamodb":
		parameters.Set("endpoint", p.Store.DSN)
		parameters.Set("region", "us-east-1")
		return "dynamodb://" + table + "?" + parameters.Encode(), nil
	}
	return "", fmt.Errorf("%w: store type %s", errBadRequest, strconv.Quote(p.Store.Type))
}
