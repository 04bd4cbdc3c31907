package dynamostore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
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
	return makeSession(client, table, options, release), nil
}

// credentialsTime is how long a request for credentials may take. All calls wait for the same one, and a call's context does
// not end it, so that one which hangs would block the store for good.
const credentialsTime = 2 * time.Second

func loadOptions(options Options) []func(*config.LoadOptions) error {
	load := []func(*config.LoadOptions) error{
		config.WithRegion(options.Region), config.WithLogger(sdkLogger(options.Logger)),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) {
			o.HTTPClient = awshttp.NewBuildableClient().WithTimeout(credentialsTime)
		}),
	}
	if options.Credentials != nil {
		load = append(load, config.WithCredentialsProvider(options.Credentials))
	}
	// The time-out is for the other services that give credentials; the store's own client takes the transport only.
	return append(load, config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(credentialsTime).WithTransportOptions(
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

// wholeBody gives the HTTP client request bodies of its own.
//
// The SDK closes a request's body as soon as the head of the response is there. net/http may at that moment be about to
// look for the end of the body, which it does by io.Copy, and the WriteTo of the SDK's closed body answers that with
// io.EOF, which a WriterTo must not return. net/http takes it for a failed request and closes the connection, and reading
// the response fails with "use of closed network connection". A bytes.Reader is never closed, lets net/http send head and
// body in one piece, and can be sent again on another connection if the server had closed the first before it was used.
type wholeBody struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient.
func (c wholeBody) Do(request *http.Request) (*http.Response, error) {
	if request.Body == nil || request.ContentLength <= 0 {
		return c.next.Do(request)
	}
	body := make([]byte, request.ContentLength)
	if _, err := io.ReadFull(request.Body, body); err != nil {
		return nil, fmt.Errorf("reading the request's body: %w", err)
	}
	own := request.WithContext(request.Context())
	own.Body = io.NopCloser(bytes.NewReader(body))
	own.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return c.next.Do(own)
}
