package config_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/backends/all"
	"github.com/cleatdev/cleat/config"
)

// exampleFiles writes a configuration and a file of flags, and returns their directory and what removes it.
func exampleFiles() (directory string, remove func()) {
	directory, err := os.MkdirTemp("", "cleat-example")
	if err != nil {
		panic(err)
	}
	for name, text := range map[string]string{
		"flags.yaml": "flagValues: {greeting: hello}\n",
		"cleat.yaml": "mode: file\nfile:\n  paths: [" + filepath.Join(directory, "flags.yaml") + "]\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
			panic(err)
		}
	}
	return directory, func() { _ = os.RemoveAll(directory) }
}

// A client that a file configures, and a variable of the environment.
func ExampleLoad() {
	directory, remove := exampleFiles()
	defer remove()
	ctx := context.Background()
	cfg, err := config.Load(ctx, filepath.Join(directory, "cleat.yaml"), &config.Options{
		Registry: all.Registry(),
		Env:      []string{"CLEAT_STORE=sqlite://" + filepath.Join(directory, "flags.db") + "?cache=forever"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := cleat.New(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	fmt.Println(client.StringVariation(ctx, "greeting", ldcontext.New("ann"), "hi"))
	// Output: hello
}

// What is wrong is reported at once, and settings are printed without secrets.
func ExampleRead() {
	opts := &config.Options{
		Env: []string{"CLEAT_STORE=redis://app:s3cr3t@localhost:6379?prefix=app", "CLEAT_START_WAIT=5"},
		ReadFile: func(string) ([]byte, error) {
			return []byte("sdk_key: s3cr3t\nmode: pulling\n"), nil
		},
	}
	_, err := config.Read("cleat.yaml", opts)
	fmt.Println(err)

	opts.Env = opts.Env[:1]
	opts.ReadFile = func(string) ([]byte, error) { return []byte("sdk_key: s3cr3t\nevents: {gzip: true}\n"), nil }
	settings, err := config.Read("cleat.yaml", opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(settings)
	// Output:
	// config: cleat.yaml:2: mode: expected one of streaming, polling, file, data-system, daemon, offline
	// config: CLEAT_START_WAIT: start_wait: expected a duration such as 10s, or off
	// sdk_key: REDACTED
	// store: redis://REDACTED@localhost:6379?prefix=app
	// events:
	//     gzip: true
}
