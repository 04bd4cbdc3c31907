package backends

import (
	"context"
	"fmt"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/dynamostore"
)

// dynamoTarget is what a dynamodb:// URL says.
type dynamoTarget struct {
	table   string
	options *dynamostore.Options
}

func dynamoScheme() Scheme {
	return scheme([]string{"consistency", "endpoint", "region", "watch_interval"}, dynamoOptions,
		func(ctx context.Context, t dynamoTarget) (*dynamostore.Store, error) {
			return dynamostore.Open(ctx, t.table, t.options)
		},
		func(ctx context.Context, t dynamoTarget) (*dynamostore.BigSegments, error) {
			return dynamostore.OpenBigSegments(ctx, t.table, t.options)
		})
}

// dynamoOptions reads a URL whose host is the name of the table. Credentials come from the standard chain of AWS.
func dynamoOptions(u *URL) (dynamoTarget, error) {
	if u.Host() == "" || u.parsed.User != nil || u.Path() != "" && u.Path() != "/" {
		return dynamoTarget{}, fmt.Errorf("%w: a DynamoDB URL names the table, as in dynamodb://flags?region=eu-central-1, and has "+
			"neither user nor path", core.ErrInvalid)
	}
	opts := &dynamostore.Options{
		Prefix:   u.Text(paramPrefix),
		Region:   u.Text("region"),
		Endpoint: u.Text("endpoint"),

		WatchInterval: u.Duration("watch_interval"),
	}
	opts.Logger = u.Logger()
	switch u.Text("consistency") {
	case "", "strong":
	case "eventual":
		opts.EventuallyConsistent = true
	default:
		u.fail("consistency", "it is neither strong nor eventual")
	}
	return dynamoTarget{u.Host(), opts}, u.Check()
}
