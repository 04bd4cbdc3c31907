// Package urltext parses the URLs that name stores, which may name several hosts, and whose errors must not show the
// secrets in them.
package urltext
