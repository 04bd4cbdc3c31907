// Package storetest is what tests of stores share: data of known sizes, prefixes that are used once, and ways to a server
// that fail.
package storetest
