package dynamostore

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/aws/smithy-go/logging"

	"github.com/cleatdev/cleat/core"
	"github.com/cleatdev/cleat/internal/httptransport"
)

// idleConnections is how many connections a client of ours keeps for later; an Init uses as many at once.
const idleConnections = 64

func openSession(ctx context.Context, table string, opts *Options) (*session, error) {
	options, err := checkArguments(ctx, table, opts)
	if err != nil {
		return nil, err
	}
	loaded, err := config.LoadDefaultConfig(ctx, loadOptions(options)...)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("dynamostore: %w: the AWS configuration cannot be loaded: %w", core.ErrInvalid, err)
	}
	if loaded.Region == "" {
		return nil, fmt.Errorf("dynamostore: %w: no AWS region is configured: set Options.Region or AWS_REGION",
			core.ErrInvalid)
	}
	httpClient, release := options.HTTPClient, func() {}
	if httpClient == nil {
		httpClient, release = ownHTTPClient(loaded.HTTPClient)
	}
	client := dynamodb.NewFromConfig(loaded, func(o *dynamodb.Options) {
		o.HTTPClient = httpClient
		if options.Endpoint != "" {
			o.BaseEndpoint = aws.String(options.Endpoint)
		}
	})
	options.Credentials, options.HTTPClient = nil, nil // the client has them; a store that is printed has not
	s := makeSession(client, table, options, release)
	s.streams = dynamodbstreams.NewFromConfig(loaded, func(o *dynamodbstreams.Options) {
		openStreams(o, options, client.Options())
	})
	return s, nil
}

func loadOptions(options Options) []func(*config.LoadOptions) error {
	load := []func(*config.LoadOptions) error{
		config.WithRegion(options.Region), config.WithLogger(sdkLogger(options.Logger)),
	}
	if options.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(options.Credentials))
	}
	return append(load, config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(
		func(t *http.Transport) {
			t.MaxIdleConnsPerHost = idleConnections
			t.HTTP2 = httptransport.HTTP2()
		})))
}

// sdkLogger passes on what the SDK logs.
func sdkLogger(logger *slog.Logger) logging.Logger {
	return logging.LoggerFunc(func(classification logging.Classification, format string, values ...any) {
		level := slog.LevelDebug
		if classification == logging.Warn {
			level = slog.LevelWarn
		}
		logger.Log(context.Background(), level, "dynamostore: the AWS SDK reports: "+fmt.Sprintf(format, values...))
	})
}

// ownHTTPClient returns a client whose connections can be closed. The configuration may have added a certificate
// authority to it (AWS_CA_BUNDLE).
func ownHTTPClient(configured aws.HTTPClient) (client aws.HTTPClient, release func()) {
	buildable, ok := configured.(*awshttp.BuildableClient)
	if !ok {
		return configured, func() {}
	}
	transport := buildable.GetTransport()
	own := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return own, transport.CloseIdleConnections
}
