package storeurl

import (
	"errors"
	"os"

	"github.com/cleatdev/cleat/internal/livefile"
)

// Secret returns a secret that a file or an environment variable holds: name_file or name_env. found is false if there
// is neither. A trailing end of line in the file does not count. An empty secret makes [URL.Check] fail, since with it
// there would be no authentication. [URL.LiveSecret] is for secrets in files that are replaced.
func (u *URL) Secret(name string) (secret string, found bool) {
	current := u.LiveSecret(name)
	if current == nil {
		return "", false
	}
	return current(), true
}

// LiveSecret is [URL.Secret] for a store that makes new connections: the function that it returns reads the file again if it
// has changed, and returns what the file held last if it cannot be read. It is nil if there is no secret. It may be called at
// any time from any goroutine.
func (u *URL) LiveSecret(name string) (current func() string) {
	file, env := u.SecretPlace(name)
	switch {
	case file != "":
		secret, err := livefile.Secret(u.logger, u.place(name+"_file"), file)
		switch {
		case errors.Is(err, livefile.ErrEmpty):
			u.failEmpty(name + "_file")
		case err != nil:
			u.Refuse(name+"_file", "the file cannot be read: %w", err)
		default:
			return secret.Current
		}
	case env != "":
		secret, set := os.LookupEnv(env)
		switch {
		case !set:
			u.Refuse(name+"_env", "the environment variable that it names is not set")
		case secret == "":
			u.failEmpty(name + "_env")
		default:
			return func() string { return secret }
		}
	}
	return nil
}

func (u *URL) failEmpty(parameter string) {
	u.Refuse(parameter, "what it names is empty; put the secret there, or remove the parameter")
}

// SecretPlace returns the file or the environment variable that holds a secret, as name_file or name_env names it, for a store
// that reads it itself. At most one of them is not empty.
func (u *URL) SecretPlace(name string) (file, env string) {
	inFile, inEnv := name+"_file", name+"_env"
	if u.Has(inFile) && u.Has(inEnv) {
		u.Refuse(inEnv, "%s says the same; keep one of them", inFile)
		return "", ""
	}
	for _, parameter := range []string{inFile, inEnv} {
		if u.Has(parameter) && u.Text(parameter) == "" {
			u.Refuse(parameter, "it is empty; say where the secret is, or remove it")
		}
	}
	return u.Text(inFile), u.Text(inEnv)
}
