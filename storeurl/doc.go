// Package storeurl is what an adapter needs to be opened by a URL: the URL itself, with its parameters, secrets and TLS files, and a
// [Scheme], which says how to open the stores of it. Applications use package backends, which makes a registry of schemes.
//
// An adapter returns its schemes by a function of this form, which is all that a registry needs of it:
//
//	func Schemes() []storeurl.Scheme {
//		return []storeurl.Scheme{storeurl.NewScheme("mydb", []string{"region"}, urlOptions, Open, OpenBigSegments)}
//	}
//
//	func urlOptions(u *storeurl.URL) (*Options, error) {
//		return &Options{Prefix: u.Text("prefix"), Region: u.Text("region"), Logger: u.Logger()}, u.Check()
//	}
//
// Package backends reads the parameters that all schemes have, such as cache and read_timeout, and refuses unknown ones. Of the common
// parameters, prefix alone is the adapter's to read.
//
// # Errors
//
// What a URL says wrongly is [core.ErrInvalid]. No error shows the value of a parameter, a user, a password, or any part of a URL that
// a password with unescaped characters may have torn apart. [URL.Refuse] is for what else an adapter does not accept.
//
// # Concurrency
//
// A [URL] is used by one goroutine, while a store is opened. The functions that [URL.LiveSecret] and [URL.LiveTLS] return may be
// called at any time from any goroutine.
package storeurl
