package dynamostore

import (
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

// streamsClient returns the client with which streams are read: the caller's, that of Open, or one that is set up as the
// client for the table is.
func (s *session) streamsClient() *dynamodbstreams.Client {
	switch {
	case s.options.Streams != nil:
		return s.options.Streams
	case s.streams != nil:
		return s.streams
	}
	o := s.client.Options()
	return dynamodbstreams.New(dynamodbstreams.Options{
		Region: o.Region, Credentials: o.Credentials, HTTPClient: o.HTTPClient, BaseEndpoint: ownEndpoint(o.BaseEndpoint),
		EndpointOptions: dynamodbstreams.EndpointResolverOptions{
			UseDualStackEndpoint: o.EndpointOptions.UseDualStackEndpoint, UseFIPSEndpoint: o.EndpointOptions.UseFIPSEndpoint,
		},
		AppID: o.AppID, Logger: o.Logger, ClientLogMode: o.ClientLogMode,
		DisableClockSkewCorrection: o.DisableClockSkewCorrection,
	})
}

// openStreams completes the client that Open makes for streams. One endpoint serves both unless it is AWS's, or the
// environment names one for streams.
func openStreams(o *dynamodbstreams.Options, options Options, table dynamodb.Options) {
	o.HTTPClient = table.HTTPClient
	if own := ownEndpoint(table.BaseEndpoint); own != nil && (options.Endpoint != "" || o.BaseEndpoint == nil) {
		o.BaseEndpoint = own
	}
}

// perStreamsRequest sets what holds for every request, whoever made the client.
func perStreamsRequest(o *dynamodbstreams.Options) {
	o.Retryer = aws.NopRetryer{}
	o.HTTPClient = wholeBody{o.HTTPClient}
}

// watchInterval returns how often a shard is asked; 0 means never.
func watchInterval(options Options, streams *dynamodbstreams.Client) time.Duration {
	switch {
	case options.WatchInterval != 0:
		return options.WatchInterval
	case ownEndpoint(streams.Options().BaseEndpoint) != nil:
		return DefaultWatchIntervalElsewhere
	}
	return 0
}

// ownEndpoint returns an endpoint that is not one of AWS, whose endpoints serve either tables or streams.
func ownEndpoint(endpoint *string) *string {
	u, err := url.Parse(aws.ToString(endpoint))
	if err != nil || u.Hostname() == "" {
		return nil
	}
	host := "." + strings.ToLower(u.Hostname())
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"} {
		if strings.HasSuffix(host, domain) {
			return nil
		}
	}
	return endpoint
}
