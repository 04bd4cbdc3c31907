// Package optioncheck has the checks that the options of all packages have in common.
package optioncheck

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/cleatdev/cleat/core"
)

// NotNegative returns an error for each exported field of a struct of options that is a negative number or time, unless it is
// excepted. Each wraps [core.ErrInvalid], begins with the name of the package, and names the field and its value.
func NotNegative(pkg string, options any, except ...string) error {
	var errs []error
	for field, value := range reflect.ValueOf(options).Fields() {
		if field.IsExported() && value.CanInt() && value.Int() < 0 && !slices.Contains(except, field.Name) {
			errs = append(errs, fmt.Errorf("%s: %w: %s %v is negative", pkg, core.ErrInvalid, field.Name, value.Interface()))
		}
	}
	return errors.Join(errs...)
}

// SDKKey reports whether a text can be an SDK key: visible ASCII without quotes. A key that was copied together with its quotes,
// a byte order mark or a line end is none, and neither is one that was typed with letters that only look like ASCII.
func SDKKey(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= '\x7f' || strings.ContainsRune("\"'`", r) })
}
