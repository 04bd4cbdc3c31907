package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends"
	"github.com/cleatdev/cleat/core"
)

// Options says what a configuration is read with. The zero value of each field means its default, and nil is usable.
type Options struct {
	// Env is the environment, each entry of the form NAME=value, of which the last of a name counts, as in
	// [os/exec.Cmd].Env; nil means that of the process. Parameters of a store URL such as password_env are looked up in
	// that of the process all the same.
	Env []string
	// ReadFile reads the configuration file and the file with the SDK key; nil means os.ReadFile. Its errors should be of
	// type *fs.PathError, as those of package os are; the path of the key's file is then left out, in case it is the key.
	// What is read in another way than by os.ReadFile is not read again when it changes.
	ReadFile func(name string) ([]byte, error)
	// Registry opens the stores. A program registers the adapters whose drivers it wants to link: backends.New(redisstore.Schemes())
	// has that of Redis alone, all.Registry() of package backends/all has every one. Nil means none, for a program without a
	// store; a store is then refused with the name of the import that is missing. [Read] needs no adapter for its checks.
	Registry *backends.Registry
	// Logger becomes that of the [cleat.Config] and of the stores; nil means slog.Default().
	Logger *slog.Logger

	readsAgain bool // ReadFile is that of package os
}

// withDefaults returns a copy in which everything but Logger is set.
func (o *Options) withDefaults() Options {
	if o == nil {
		o = &Options{}
	}
	opts := *o
	if opts.Env == nil {
		opts.Env = os.Environ()
	}
	if opts.ReadFile == nil {
		opts.ReadFile, opts.readsAgain = os.ReadFile, true
	}
	if opts.Registry == nil {
		opts.Registry = backends.New()
	}
	return opts
}

// Load reads the configuration as [Read] does, and opens it as [Settings.Open] does. Errors of a store that cannot be
// opened, or of a file that cannot be used, name the line or variable that it comes from.
func Load(ctx context.Context, path string, opts *Options) (cleat.Config, error) {
	if ctx == nil {
		return cleat.Config{}, errNilContext()
	}
	o := opts.withDefaults()
	r, err := read(path, o)
	if err != nil {
		return cleat.Config{}, err
	}
	return r.settings.open(ctx, o, r.origins)
}

// Read reads the file at path, then the environment, which wins, and checks that the settings fit each other. It opens
// no store. If path is empty, the environment variable CLEAT_CONFIG names the file, and without that there is none.
//
// Everything that is wrong is named in one error, which joins an [*Error] for each. A file that cannot be read is the
// error of Options.ReadFile.
func Read(path string, opts *Options) (Settings, error) {
	r, err := read(path, opts.withDefaults())
	if err != nil {
		return Settings{}, err
	}
	return r.settings, nil
}

func errNilContext() error { return fmt.Errorf("config: %w: the context is nil", core.ErrInvalid) }

// origin is where a setting comes from. The zero value is that of a setting that is not set.
type origin struct {
	source      string // as in Error
	environment bool
}

// reader puts settings together.
type reader struct {
	settings Settings
	table    []setting
	origins  map[string]origin // by name
	errs     []error
}

func read(path string, opts Options) (*reader, error) {
	r := &reader{origins: map[string]origin{}}
	r.table = r.settings.settings(opts.Registry.Schemes())
	env := newEnvironment(opts.Env)
	path = cmp.Or(path, env[configVariable])
	if path != "" {
		data, err := opts.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("config: the configuration file cannot be read: %w", err)
		}
		r.readFile(path, data)
	}
	r.readEnvironment(env)
	if len(r.errs) == 0 {
		r.resolve()
	}
	return r, errors.Join(r.errs...)
}

func (r *reader) refuse(source, setting, problem string) {
	r.errs = append(r.errs, &Error{Source: source, Setting: setting, Problem: problem})
}

// assign gives a setting its value.
func (r *reader) assign(s setting, texts []string, from origin) {
	r.origins[s.name] = from
	if !s.set(texts) {
		r.refuse(from.source, s.name, "expected "+s.expects)
	}
}
