package dynamostore

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/storeurl"
)

// urlTarget is what a dynamodb:// URL says.
type urlTarget struct {
	table   string
	options *Options
}

// Schemes returns the scheme of URLs that name a table, for a registry of package backends.
func Schemes() []storeurl.Scheme {
	return []storeurl.Scheme{storeurl.NewScheme(
		"dynamodb", []string{"consistency", "endpoint", "region", "watch_interval"}, urlOptions,
		func(ctx context.Context, t urlTarget) (*Store, error) { return Open(ctx, t.table, t.options) },
		func(ctx context.Context, t urlTarget) (*BigSegments, error) {
			return OpenBigSegments(ctx, t.table, t.options)
		},
	)}
}

// urlOptions reads a URL whose host is the name of the table. Credentials come from the standard chain of AWS.
func urlOptions(u *storeurl.URL) (urlTarget, error) {
	if u.Host() == "" || u.User() != nil || u.Path() != "" && u.Path() != "/" {
		return urlTarget{}, fmt.Errorf("%w: a DynamoDB URL names the table, as in dynamodb://flags?region=eu-central-1, and has "+
			"neither user nor path", core.ErrInvalid)
	}
	opts := &Options{
		Prefix:   u.Text("prefix"),
		Region:   u.Text("region"),
		Endpoint: u.Text("endpoint"),
		Logger:   u.Logger(),

		WatchInterval: u.Duration("watch_interval"),
	}
	switch u.Text("consistency") {
	case "", "strong":
	case "eventual":
		opts.EventuallyConsistent = true
	default:
		u.Refuse("consistency", "it is neither strong nor eventual")
	}
	return urlTarget{u.Host(), opts}, u.Check()
}
