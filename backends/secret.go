package backends

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Secret returns a secret that a file or an environment variable holds: name_file or name_env. found is false if there
// is neither. A trailing end of line in the file does not count. An empty secret makes [URL.Check] fail, since with it
// there would be no authentication.
func (u *URL) Secret(name string) (secret string, found bool) {
	file, env := u.secretPlace(name)
	parameter := name + "_file"
	switch {
	case file != "":
		content, err := os.ReadFile(file)
		if err != nil {
			u.fail(parameter, "the file cannot be read: %w", withoutPath(err))
			return "", false
		}
		secret = strings.TrimRight(string(content), "\r\n")
	case env != "":
		parameter = name + "_env"
		value, set := os.LookupEnv(env)
		if !set {
			u.fail(parameter, "the environment variable that it names is not set")
			return "", false
		}
		secret = value
	default:
		return "", false
	}
	if secret == "" {
		u.fail(parameter, "what it names is empty; put the secret there, or remove the parameter")
		return "", false
	}
	return secret, true
}

// secretPlace returns the file or the variable that holds a secret. At most one of them is not empty.
func (u *URL) secretPlace(name string) (file, env string) {
	inFile, inEnv := name+"_file", name+"_env"
	if u.Has(inFile) && u.Has(inEnv) {
		u.fail(inEnv, "%s says the same; keep one of them", inFile)
		return "", ""
	}
	for _, parameter := range []string{inFile, inEnv} {
		if u.Has(parameter) && u.Text(parameter) == "" {
			u.fail(parameter, "it is empty; say where the secret is, or remove it")
		}
	}
	return u.Text(inFile), u.Text(inEnv)
}

// withoutPath returns the cause of an error about a file: in place of the path, somebody may have put the secret.
func withoutPath(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}
