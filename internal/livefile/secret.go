package livefile

import (
	"errors"
	"log/slog"
	"strings"
)

// ErrEmpty is returned for a file that should hold a secret and is empty: without one there would be no authentication.
var ErrEmpty = errors.New("the file is empty")

// Secret returns the password, token or key in a file. A trailing end of line does not count.
func Secret(logger *slog.Logger, thing, path string) (*Value[string], error) {
	return New(logger, thing, func(contents [][]byte) (string, error) {
		secret := strings.TrimRight(string(contents[0]), "\r\n")
		if strings.TrimSpace(secret) == "" {
			return "", ErrEmpty
		}
		return secret, nil
	}, path)
}
