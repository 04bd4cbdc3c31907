package flagservice

import (
	"time"

	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
)

// DescribeStreaming returns what a diagnostic event says of a source that streams.
func DescribeStreaming(initialRetryDelay time.Duration) ldvalue.Value {
	return ldvalue.ObjectBuild().SetBool("streamingDisabled", false).
		SetInt("reconnectTimeMillis", int(initialRetryDelay.Milliseconds())).Build()
}

// DescribePolling returns what a diagnostic event says of a source that polls.
func DescribePolling(interval time.Duration) ldvalue.Value {
	return ldvalue.ObjectBuild().SetBool("streamingDisabled", true).
		SetInt("pollingIntervalMillis", int(interval.Milliseconds())).Build()
}
