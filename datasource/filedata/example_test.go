package filedata_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"

	"github.com/cleatdev/cleat"
	"github.com/cleatdev/cleat/datasource/filedata"
)

func ExampleSource() {
	directory, err := os.MkdirTemp("", "cleat-example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(directory) }()
	path := filepath.Join(directory, "flags.json")
	text := `{"flagValues": {"greeting": "hello"}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	client, err := cleat.New(ctx, cleat.Config{
		DataSource: filedata.Source(filedata.Options{Paths: []string{path}, Reload: true}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Close() }()
	fmt.Println(client.StringVariation(ctx, "greeting", ldcontext.New("ann"), "hi"))
	// Output: hello
}
