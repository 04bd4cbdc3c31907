package flagservice

import (
	"fmt"
	"mime"
	"net/http"
)

// FromProxy returns what to make of a response that is not the flag service's but that of a proxy or gateway on the way to it;
// nil if it cannot be told from the service's. A status is a proxy's if it asks for the proxy's password, and if it is one
// that proxies give and comes with a page for people, of which the service has none. It is no [StatusError], because it says
// nothing about the SDK key or the base URI, and the way may be free again soon.
func FromProxy(response *http.Response) error {
	const who = "a proxy or gateway on the way to the flag service"
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	page := mediaType == "text/html"
	switch status := response.StatusCode; {
	case status == http.StatusProxyAuthRequired:
		return fmt.Errorf("%s answered 407 %s; check the user name and password in the proxy's URL", who, http.StatusText(status))
	case page && status == http.StatusForbidden:
		return fmt.Errorf("%s answered 403 %s; check which servers the proxy lets through", who, http.StatusText(status))
	case page && (status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout):
		return fmt.Errorf("%s answered %d %s", who, status, http.StatusText(status))
	case page && status == http.StatusOK:
		return fmt.Errorf("%w: the answer is a page for people (text/html), as %s sends it, or a server that is not the flag service; "+
			"check the base URI, and proxies on the way to it", ErrInvalidData, who)
	default:
		return nil
	}
}
